package redshiftcopy

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/shardmill/shardmill/localaws/internal/sqltext"
)

// Kind is a type without its length.
type Kind int

// The kinds.
const (
	Varchar Kind = iota
	Char
	Smallint
	Integer
	Bigint
	Decimal
	Real
	Double
	Boolean
	Date
	Timestamp
	Timestamptz
	Super
)

// Type is the type of a column.
type Type struct {
	Kind             Kind
	Length           int // of a Varchar or Char, in bytes
	Precision, Scale int // of a Decimal
}

// typeInfo is what there is to know of a kind.
type typeInfo struct {
	name string // as STL_LOAD_ERRORS has it
	sql  string // as CREATE TABLE of Redshift and PostgreSQL has it
	oid  uint32 // of PostgreSQL's pg_type
	size int16
}

func (t Type) info() typeInfo {
	return [...]typeInfo{
		Varchar:     {"varchar", "varchar", 1043, -1},
		Char:        {"char", "char", 1042, -1},
		Smallint:    {"int2", "smallint", 21, 2},
		Integer:     {"int4", "integer", 23, 4},
		Bigint:      {"int8", "bigint", 20, 8},
		Decimal:     {"numeric", "numeric", 1700, -1},
		Real:        {"float4", "real", 700, 4},
		Double:      {"float8", "double precision", 701, 8},
		Boolean:     {"bool", "boolean", 16, 1},
		Date:        {"date", "date", 1082, 4},
		Timestamp:   {"timestamp", "timestamp", 1114, 8},
		Timestamptz: {"timestamptz", "timestamptz", 1184, 8},
		Super:       {"super", "super", 4000, -1},
	}[t.Kind]
}

// Name is the type's as STL_LOAD_ERRORS has it.
func (t Type) Name() string { return t.info().name }

// OID is PostgreSQL's number of the type, and Size its length; -1 if it varies.
func (t Type) OID() (oid uint32, size int16) { return t.info().oid, t.info().size }

// String returns the type as CREATE TABLE has it.
func (t Type) String() string {
	switch t.Kind {
	case Varchar, Char:
		return fmt.Sprintf("%s(%d)", t.info().sql, t.Length)
	case Decimal:
		return fmt.Sprintf("numeric(%d,%d)", t.Precision, t.Scale)
	default:
		return t.info().sql
	}
}

// ParseType reads a type where it comes next.
//
// Errors: *sqltext.Error.
func ParseType(p *sqltext.Parser) (Type, error) {
	start := p.Peek()
	name, err := p.NeedName()
	if err != nil {
		return Type{}, err
	}
	switch name {
	case "double":
		return Type{Kind: Double}, p.Need("precision")
	case "character":
		name = "char"
		if p.Accept("varying") {
			name = "varchar"
		}
	}
	t, ok := named(name)
	if !ok {
		return t, &sqltext.Error{Message: fmt.Sprintf("type %q does not exist here", start.Text)}
	}
	if err = t.lengths(p); err != nil {
		return t, err
	}
	if t.Kind == Timestamp && p.Accept("with", "time", "zone") {
		t.Kind = Timestamptz
	}
	p.Accept("without", "time", "zone")
	return t, nil
}

func named(name string) (Type, bool) {
	t, ok := map[string]Type{
		"smallint": {Kind: Smallint}, "int2": {Kind: Smallint},
		"int": {Kind: Integer}, "integer": {Kind: Integer}, "int4": {Kind: Integer},
		"bigint": {Kind: Bigint}, "int8": {Kind: Bigint},
		"decimal": {Kind: Decimal, Precision: 18}, "numeric": {Kind: Decimal, Precision: 18},
		"real": {Kind: Real}, "float4": {Kind: Real}, "float": {Kind: Double}, "float8": {Kind: Double},
		"bool": {Kind: Boolean}, "boolean": {Kind: Boolean},
		"date": {Kind: Date}, "timestamp": {Kind: Timestamp}, "timestamptz": {Kind: Timestamptz},
		"varchar": {Kind: Varchar, Length: 256}, "nvarchar": {Kind: Varchar, Length: 256}, "text": {Kind: Varchar, Length: 256},
		"char": {Kind: Char, Length: 1}, "nchar": {Kind: Char, Length: 1}, "bpchar": {Kind: Char, Length: 256},
		"super": {Kind: Super},
	}[name]
	return t, ok
}

const (
	maxVarchar = 65_535
	maxChar    = 4_096
)

// lengths reads what a type may have in parentheses.
func (t *Type) lengths(p *sqltext.Parser) error {
	takes := t.Kind == Varchar || t.Kind == Char || t.Kind == Decimal
	if !takes || !p.AcceptSymbol("(") {
		return nil
	}
	if t.Kind == Varchar && p.Accept("max") {
		t.Length = maxVarchar
		return p.NeedSymbol(")")
	}
	n, err := p.NeedInt()
	if err != nil {
		return err
	}
	most := map[Kind]int{Varchar: maxVarchar, Char: maxChar, Decimal: 38}[t.Kind]
	if n < 1 || n > most {
		return &sqltext.Error{Message: "length for type " + t.info().sql + " must be from 1 to " + strconv.Itoa(most)}
	}
	if t.Kind != Decimal {
		t.Length = n
		return p.NeedSymbol(")")
	}
	t.Precision = n
	if p.AcceptSymbol(",") {
		if t.Scale, err = p.NeedInt(); err != nil {
			return err
		}
	}
	return p.NeedSymbol(")")
}

// Column is a column of a table.
type Column struct {
	Name    string
	Type    Type
	NotNull bool
}

// String returns the column as CREATE TABLE has it.
func (c Column) String() string {
	text := `"` + strings.ReplaceAll(c.Name, `"`, `""`) + `" ` + c.Type.String()
	if c.NotNull {
		text += " NOT NULL"
	}
	return text
}
