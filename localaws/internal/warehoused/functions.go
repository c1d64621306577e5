package warehoused

import (
	"strings"
	"time"

	"github.com/shardmill/shardmill/localaws/internal/redshiftcopy"
	"github.com/shardmill/shardmill/localaws/internal/sqltext"
)

// version is what Redshift answers.
const version = "PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC gcc (GCC) 3.4.2 20041017 (Red Hat 3.4.2-6.fc3), Redshift 1.0.61395 (local)"

// bare is a function that is called without parentheses.
func bare(name string) (expression, bool) {
	switch name {
	case "current_user", "user", "session_user", "current_user_id":
		return asked(name, typeOf(""), func(s *scope) value { return s.session.startup.User }), true
	case "sysdate", "current_timestamp":
		return asked(name, timestampType(), func(*scope) value { return now() }), true
	case "current_date":
		return asked(name, redshiftcopy.Type{Kind: redshiftcopy.Date}, func(*scope) value { return now()[:len(time.DateOnly)] }), true
	}
	return expression{}, false
}

func timestampType() redshiftcopy.Type { return redshiftcopy.Type{Kind: redshiftcopy.Timestamp} }

func now() string { return time.Now().UTC().Format("2006-01-02 15:04:05.999999") }

// asked is an expression of the session.
func asked(name string, t redshiftcopy.Type, f func(*scope) value) expression {
	return expression{name: name, kind: fixed(t), eval: func(s *scope) (value, error) { return f(s), nil }}
}

// call reads the arguments of a function.
func (p *parser) call(name string) (expression, error) {
	if name == "count" || name == "max" || name == "min" || name == "sum" {
		return p.aggregate(name)
	}
	var list []expression
	var err error
	if p.Next(); p.IsSymbol(")") {
		p.Next()
	} else {
		for {
			var e expression
			if e, err = p.expression(); err != nil {
				return e, err
			}
			list = append(list, e)
			if !p.AcceptSymbol(",") {
				break
			}
		}
		if err = p.NeedSymbol(")"); err != nil {
			return expression{}, err
		}
	}
	if f := sessionFunctions()[name]; f != nil && len(list) == 0 {
		return asked(name, functionType(name), f), nil
	}
	return function(name, list)
}

// sessionFunctions are those without arguments.
func sessionFunctions() map[string]func(*scope) value {
	return map[string]func(*scope) value{
		"version":            func(*scope) value { return version },
		"getdate":            func(*scope) value { return now()[:len(time.DateTime)] },
		"now":                func(*scope) value { return now() },
		"current_database":   func(s *scope) value { return s.session.startup.Database },
		"current_schema":     func(*scope) value { return "public" },
		"pg_backend_pid":     func(s *scope) value { return int64(s.session.startup.ProcessID) },
		"pg_last_query_id":   func(s *scope) value { return s.session.lastQuery },
		"pg_last_copy_id":    func(s *scope) value { return s.session.lastCopy },
		"pg_last_copy_count": func(s *scope) value { return s.session.lastCopyCount },
	}
}

func functionType(name string) redshiftcopy.Type {
	switch name {
	case "getdate", "now":
		return timestampType()
	case "version", "current_database", "current_schema":
		return typeOf("")
	}
	return typeOf(int64(0))
}

// function is one of those with arguments.
func function(name string, list []expression) (expression, error) {
	unknown := failure("42883", "function %s with %d arguments does not exist here", name, len(list))
	e := expression{name: name, kind: fixed(typeOf(""))}
	for _, a := range list {
		e.aggregate = e.aggregate || a.aggregate
	}
	ofText := map[string]func(string) value{
		"lower": func(s string) value { return strings.ToLower(s) }, "upper": func(s string) value { return strings.ToUpper(s) },
		"trim": func(s string) value { return strings.Trim(s, " ") }, "btrim": func(s string) value { return strings.Trim(s, " ") },
		"rtrim": func(s string) value { return strings.TrimRight(s, " ") }, "ltrim": func(s string) value { return strings.TrimLeft(s, " ") },
		"length": func(s string) value { return int64(len([]rune(s))) }, "len": func(s string) value { return int64(len([]rune(s))) },
	}
	switch f := ofText[name]; {
	case f != nil && len(list) == 1:
		e.kind = fixed(typeOf(f("")))
		e.eval = func(s *scope) (value, error) {
			v, err := list[0].eval(s)
			if err != nil || v == nil {
				return nil, err
			}
			return f(*text(v)), nil
		}
	case (name == "coalesce" || name == "nvl") && len(list) > 0:
		e.kind = list[0].kind
		e.eval = func(s *scope) (value, error) {
			for _, a := range list {
				if v, err := a.eval(s); err != nil || v != nil {
					return v, err
				}
			}
			return nil, nil //nolint:nilnil // NULL
		}
	case strings.HasPrefix(name, "has_") && strings.HasSuffix(name, "_privilege") && (len(list) == 2 || len(list) == 3):
		e.kind = truth()
		e.eval = func(s *scope) (value, error) { return privilege(s, name, list) }
	default:
		return e, unknown
	}
	return e, nil
}

// privilege answers has_table_privilege([user,] table, privilege), and those of schemas and
// databases.
func privilege(s *scope, name string, list []expression) (value, error) {
	var args []string
	for _, a := range list {
		v, err := a.eval(s)
		if err != nil || v == nil {
			return nil, err
		}
		args = append(args, *text(v))
	}
	user := s.session.startup.User
	if len(args) == 3 {
		user, args = args[0], args[1:]
	}
	server := s.session.server
	server.mu.Lock()
	defer server.mu.Unlock()
	if name != "has_table_privilege" {
		return true, nil
	}
	p, err := sqltext.Parse(args[0])
	if err != nil {
		return nil, err
	}
	n, err := p.NeedTable()
	if err != nil {
		return nil, err
	}
	t, err := server.find(n)
	if err != nil {
		return nil, err
	}
	for want := range strings.SplitSeq(args[1], ",") {
		if server.may(user, t, strings.ToLower(strings.TrimSpace(want))) {
			return true, nil
		}
	}
	return false, nil
}

// aggregate reads count(*), and count, max, min and sum of an expression.
func (p *parser) aggregate(name string) (expression, error) {
	p.Next()
	of := literal(int64(1))
	if !p.AcceptSymbol("*") {
		var err error
		if of, err = p.expression(); err != nil {
			return of, err
		}
	} else if name != "count" {
		return of, sqltext.Near(p.Peek())
	}
	e := expression{name: name, aggregate: true, kind: of.kind}
	if name == "count" {
		e.kind = fixed(typeOf(int64(0)))
	}
	e.eval = func(s *scope) (value, error) { return aggregated(name, s, of) }
	return e, p.NeedSymbol(")")
}

func aggregated(name string, s *scope, of expression) (value, error) {
	var result value
	count := int64(0)
	for _, row := range s.all {
		v, err := of.eval(&scope{session: s.session, table: s.table, row: row})
		if err != nil {
			return nil, err
		}
		if v == nil {
			continue
		}
		count++
		if result == nil {
			result = v
			continue
		}
		if name == "sum" {
			result, err = arithmetic("+", result, v)
		} else if c, compareErr := compared(v, result); compareErr != nil || (name == "max") == (c > 0) {
			result, err = v, compareErr
		}
		if err != nil {
			return nil, err
		}
	}
	if name == "count" {
		return count, nil
	}
	return result, nil
}
