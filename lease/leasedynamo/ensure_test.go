package leasedynamo_test

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/lease/leasedynamo"
)

// fleet is a service that has tables, each with some rows, and notes what it
// was asked.
type fleet struct {
	rows     map[string][]map[string]any // by table
	status   []string                    // of the lease table, from one look to the next; "" is not there
	schema   []any                       // of the lease table; nil: as it must be
	create   string                      // the error of CreateTable
	refuse   map[string]string           // error codes by operation
	asked    []string
	lastSent request
}

func (f *fleet) answer(operation string, r request) (int, any) {
	f.asked = append(f.asked, operation+" "+r.TableName)
	if code := f.refuse[operation+" "+r.TableName]; code != "" {
		return http.StatusBadRequest, refusal(code)
	}
	switch operation {
	case "DescribeTable":
		return f.describe()
	case "CreateTable":
		f.lastSent = r
		if f.create != "" {
			return http.StatusBadRequest, refusal(f.create)
		}
		return http.StatusOK, map[string]any{}
	default:
		return f.get(r)
	}
}

func (f *fleet) describe() (int, any) {
	status := "ACTIVE"
	if len(f.status) > 0 {
		status, f.status = f.status[0], f.status[1:]
	}
	if status == "" {
		return http.StatusBadRequest, refusal("ResourceNotFoundException")
	}
	schema := f.schema
	if schema == nil {
		schema = []any{key("leaseKey", "HASH")}
	}
	return http.StatusOK, map[string]any{"Table": map[string]any{
		"TableName": "orders", "TableStatus": status, "KeySchema": schema,
		"AttributeDefinitions": []any{
			map[string]any{"AttributeName": "leaseKey", "AttributeType": "S"},
			map[string]any{"AttributeName": "other", "AttributeType": "N"},
		},
	}}
}

func key(name, kind string) map[string]any {
	return map[string]any{"AttributeName": name, "KeyType": kind}
}

func (f *fleet) get(r request) (int, any) {
	rows, ok := f.rows[r.TableName]
	if !ok && r.TableName != "orders" {
		return http.StatusBadRequest, refusal("ResourceNotFoundException")
	}
	for _, row := range rows {
		found := true
		for name, value := range r.Key {
			found = found && row[name] != nil && canonical(row[name]) == canonical(value)
		}
		if found {
			return http.StatusOK, map[string]any{"Item": row}
		}
	}
	return http.StatusOK, map[string]any{}
}

func TestEnsureWaitsForATableThatIsNotReady(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		fleet   fleet
		creates bool
		takes   time.Duration
	}{
		"one that is there":                        {fleet{}, false, 0},
		"one that is being updated":                {fleet{status: []string{"UPDATING"}}, false, 0},
		"one that is being created by another":     {fleet{status: []string{"CREATING", "CREATING", "ACTIVE"}}, false, 2 * time.Second},
		"none":                                     {fleet{status: []string{"", "CREATING", "ACTIVE"}}, true, time.Second},
		"none, and it takes a while to be seen":    {fleet{status: []string{"", "", "", "CREATING", "ACTIVE"}}, true, 3 * time.Second},
		"none, and another worker creates it also": {fleet{status: []string{"", "CREATING", "ACTIVE"}, create: "ResourceInUseException"}, true, time.Second},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				if err := newTable(t, stub(test.fleet.answer)).Ensure(t.Context()); err != nil {
					t.Fatal(err)
				}
				creates := strings.Count(strings.Join(test.fleet.asked, "\n"), "CreateTable")
				if took := time.Since(start); took != test.takes || (creates == 1) != test.creates {
					t.Errorf("took %v and created %d times; want %v, %v", took, creates, test.takes, test.creates)
				}
				if test.creates && test.fleet.lastSent.BillingMode != "PAY_PER_REQUEST" {
					t.Errorf("got billing mode %s, want PAY_PER_REQUEST", test.fleet.lastSent.BillingMode)
				}
			})
		})
	}
}

func TestEnsureWaitsNoLongerThanItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("enough")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, cause)
		defer cancel()
		creating := make([]string, 100)
		for i := range creating {
			creating[i] = "CREATING"
		}
		f := &fleet{status: creating}
		if err := newTable(t, stub(f.answer)).Ensure(ctx); !errors.Is(err, cause) {
			t.Errorf("got error %v, want %v", err, cause)
		}
	})
}

func TestEnsureRefusesATableThatItCannotUse(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		fleet fleet
		class error
		want  []string // in the error
	}{
		"another hash key": {
			fleet{schema: []any{key("other", "HASH")}},
			lease.ErrInvalidState,
			[]string{"table orders has the keys HASH key other (N)", "which has HASH key leaseKey (S)", "use the name of another table"},
		},
		"a range key": {
			fleet{schema: []any{key("leaseKey", "HASH"), key("other", "RANGE")}}, lease.ErrInvalidState, []string{"HASH key leaseKey (S) RANGE key other (N)"},
		},
		"being deleted": {fleet{status: []string{"DELETING"}}, lease.ErrInvalidState, []string{"orders is in status DELETING"}},
		"no access to it": {
			fleet{refuse: map[string]string{"DescribeTable orders": "AccessDeniedException"}},
			lease.ErrAccessDenied,
			[]string{"orders", "permit dynamodb:DescribeTable"},
		},
		"no access to its rows": {
			fleet{refuse: map[string]string{"GetItem orders": "AccessDeniedException"}}, lease.ErrAccessDenied, []string{"orders", "permit dynamodb:GetItem"},
		},
		"no access to the coordinator's table": {
			fleet{refuse: map[string]string{"GetItem orders-CoordinatorState": "AccessDeniedException"}},
			lease.ErrAccessDenied,
			[]string{"orders-CoordinatorState", "permit dynamodb:GetItem"},
		},
		"not allowed to create": {
			fleet{status: []string{""}, create: "AccessDeniedException"}, lease.ErrAccessDenied, []string{"orders", "permit dynamodb:CreateTable"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				err := newTable(t, stub(test.fleet.answer)).Ensure(t.Context())
				for _, class := range classes() {
					if errors.Is(err, class) != (class == test.class) { //nolint:errorlint // which of them it is
						t.Errorf("got error %v, want %v", err, test.class)
					}
				}
				for _, want := range test.want {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("error %v does not say %q", err, want)
					}
				}
			})
		})
	}
}

func TestEnsureCreatesATableOnlyIfThereIsNone(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"InternalServerError", "ThrottlingException", "AccessDeniedException", "ValidationException"} {
		synctest.Test(t, func(t *testing.T) {
			f := &fleet{refuse: map[string]string{"DescribeTable orders": code}}
			if err := newTable(t, stub(f.answer)).Ensure(t.Context()); err == nil {
				t.Errorf("%s: no error", code)
			}
			for _, asked := range f.asked {
				if asked != "DescribeTable orders" {
					t.Errorf("%s: it asked for %s", code, asked)
				}
			}
		})
	}
}

func TestEnsureCreatesAsTheOptionsSay(t *testing.T) {
	t.Parallel()
	f := &fleet{status: []string{""}}
	table, err := leasedynamo.New(stub(f.answer), leasedynamo.Options{TableName: "orders", NeverCreate: true})
	if err != nil {
		t.Fatal(err)
	}
	if err = table.Ensure(t.Context()); !errors.Is(err, lease.ErrTableNotFound) || !strings.Contains(err.Error(), "table orders does not exist, and is not to be created") || len(f.asked) != 1 {
		t.Errorf("never create: got error %v after %v", err, f.asked)
	}

	f = &fleet{status: []string{""}}
	table, err = leasedynamo.New(stub(f.answer), leasedynamo.Options{TableName: "orders", ReadCapacity: 10, WriteCapacity: 5})
	if err != nil {
		t.Fatal(err)
	}
	if err := table.Ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := f.lastSent; r.BillingMode != "PROVISIONED" || r.ProvisionedThroughput["ReadCapacityUnits"] != 10 || r.ProvisionedThroughput["WriteCapacityUnits"] != 5 {
		t.Errorf("got %+v, want provisioned 10 and 5", r)
	}
}

func TestEnsureWithoutCredentialsSaysSo(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]dynamodb.Options{
		"credentials that cannot be had": {Region: "us-east-1", Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{}, errors.New("no provider in the chain")
		})},
		"no region": {Credentials: aws.AnonymousCredentials{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				options.HTTPClient = doer(func(*http.Request) (*http.Response, error) {
					t.Error("a request was sent")
					return nil, errors.New("no network")
				})
				table := newTable(t, dynamodb.New(options))
				err := table.Ensure(t.Context())
				if !errors.Is(err, lease.ErrAccessDenied) || !strings.Contains(err.Error(), "are credentials and a region configured?") {
					t.Errorf("got error %v, want ErrAccessDenied that asks for credentials", err)
				}
				// Later the same may pass by itself, so a holder tries again.
				if _, err := table.Renew(t.Context(), held); !errors.Is(err, lease.ErrAccessDenied) || errors.Is(err, lease.ErrInvalidState) {
					t.Errorf("renewing: got error %v, want ErrAccessDenied", err)
				}
			})
		})
	}
}

func TestEnsureAgainOnlyAsksForTheProtocol(t *testing.T) {
	t.Parallel()
	f := &fleet{rows: map[string][]map[string]any{}}
	table := newTable(t, stub(f.answer))
	if err := table.Ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.asked = nil
	if err := table.Ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, asked := range f.asked {
		if !strings.HasPrefix(asked, "GetItem ") {
			t.Errorf("asked for %s", asked)
		}
	}
	f.rows["orders"] = []map[string]any{wire(item{"leaseKey": str("Migration3.0"), "cv": str("CLIENT_VERSION_3X"), "mb": str("worker-1")})}
	if err := table.Ensure(t.Context()); !errors.Is(err, lease.ErrInvalidState) {
		t.Errorf("after the fleet changed over: got error %v, want ErrInvalidState", err)
	}
}

// A table that is gone took every lease along: a new one would have all shards
// read from their beginning.
func TestEnsureMakesNoTableAgain(t *testing.T) {
	t.Parallel()
	gone := map[string]string{"GetItem orders": "ResourceNotFoundException"}
	word := []map[string]any{wire(item{"key": str("Migration3.0"), "cv": str("CLIENT_VERSION_2X")})}
	for name, test := range map[string]struct {
		fleet fleet
		fails map[string]string // what the first Ensure meets
		then  map[string]string
	}{
		"after it was ready":                                       {fleet{}, nil, gone},
		"after it was ready, of a fleet of 3.4":                    {fleet{rows: map[string][]map[string]any{"orders-CoordinatorState": word}}, nil, gone},
		"that was found, when the protocol could not be found out": {fleet{status: []string{"ACTIVE", ""}}, map[string]string{"GetItem orders": "ThrottlingException"}, nil},
		"that it created itself":                                   {fleet{status: []string{"", "ACTIVE", ""}}, map[string]string{"GetItem orders": "ThrottlingException"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := test.fleet
				f.refuse = test.fails
				table := newTable(t, stub(f.answer))
				if err := table.Ensure(t.Context()); (err == nil) != (test.fails == nil) {
					t.Fatal(err)
				}
				f.refuse, f.asked = test.then, nil
				for range 2 {
					f.status = []string{""}
					if err := table.Ensure(t.Context()); !errors.Is(err, lease.ErrTableNotFound) || errors.Is(err, lease.ErrInvalidState) {
						t.Errorf("got error %v, want ErrTableNotFound", err)
					}
				}
				if slices.Contains(f.asked, "CreateTable orders") {
					t.Errorf("it created a table: %v", f.asked)
				}
			})
		})
	}
}

// Who waits for a table is told, and a watcher of the caller sees that it lives.
func TestEnsureTellsThatATableIsBeingCreated(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fleet{status: append([]string{""}, slices.Repeat([]string{"CREATING"}, 150)...)}
		core, logs := observer.New(zap.InfoLevel)
		table := tableWith(t, stub(f.answer), leasedynamo.Options{Logger: zap.New(core)})
		begun := time.Now()
		ctx, call := deadline.Start(t.Context(), 5*time.Second)
		defer call.End()
		if err := table.Ensure(ctx); err != nil {
			t.Fatal(err)
		}
		var told []time.Duration
		for _, line := range logs.FilterMessage("lease table is being created").All() {
			told = append(told, line.Time.Sub(begun))
		}
		if want := []time.Duration{0, time.Minute, 2 * time.Minute}; !slices.Equal(told, want) {
			t.Errorf("told after %v, want %v", told, want)
		}
	})
}

func TestEnsureTellsTheProtocolOfRealTables(t *testing.T) {
	t.Parallel()
	refused := map[string]string{
		"kcl3-compat2x": "Migration3.0 says CLIENT_VERSION_UPGRADE_FROM_2X, modified by worker-1", "kcl3-v3": "Migration3.0 says CLIENT_VERSION_3X, modified by worker-1",
		"kcl3-handoff.after": "Migration3.0 says CLIENT_VERSION_3X, modified by worker-", "kcl34-v3": "Migration3.0 says CLIENT_VERSION_3X, modified by worker-1",
		"kcl-migrate": "Migration3.0 says CLIENT_VERSION_UPGRADE_FROM_2X, modified by worker-1",
	}
	paths, err := filepath.Glob(golden + "*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			f := &fleet{rows: map[string][]map[string]any{}}
			for table, rows := range goldenTables(t, path) {
				name := "orders"
				for _, suffix := range []string{"-CoordinatorState", "-WorkerMetricStats"} {
					if strings.HasSuffix(table, suffix) {
						name = "orders" + suffix
					}
				}
				f.rows[name] = rows
			}
			want := ""
			for prefix, sentence := range refused {
				if strings.HasPrefix(filepath.Base(path), prefix) {
					want = "lease table orders is used by a KCL 3.x fleet (" + sentence
				}
			}
			err := newTable(t, stub(f.answer)).Ensure(t.Context())
			if want == "" && err != nil {
				t.Errorf("got error %v, want none", err)
			}
			if want != "" && (!errors.Is(err, lease.ErrInvalidState) || !strings.Contains(err.Error(), want)) {
				t.Errorf("got error %v, want %s", err, want)
			}
		})
	}
}

func TestEnsureTellsTheProtocol(t *testing.T) {
	t.Parallel()
	version := func(cv string) item { return item{"leaseKey": str("Migration3.0"), "cv": str(cv), "mb": str("w")} }
	beside := func(cv string) item { return item{"key": str("Migration3.0"), "cv": str(cv), "mb": str("w")} }
	leader := item{"leaseKey": str("Leader"), "entityType": str("LEADER")}
	tests := map[string]struct {
		among, beside []item
		fine          bool
	}{
		"an empty table":              {nil, nil, true},
		"a version that is absent":    {[]item{{"leaseKey": str("Migration3.0")}}, nil, true},
		"rolled back":                 {[]item{version("CLIENT_VERSION_2X")}, nil, true},
		"rolled back, an old leader":  {[]item{version("CLIENT_VERSION_2X"), leader}, nil, true},
		"nothing decided yet":         {[]item{version("CLIENT_VERSION_INIT")}, nil, true},
		"upgrading":                   {[]item{version("CLIENT_VERSION_UPGRADE_FROM_2X")}, nil, false},
		"upgraded, may roll back":     {[]item{version("CLIENT_VERSION_3X_WITH_ROLLBACK")}, nil, false},
		"upgraded":                    {[]item{version("CLIENT_VERSION_3X")}, nil, false},
		"a version of the future":     {[]item{version("CLIENT_VERSION_4X")}, nil, false},
		"a version that is no text":   {[]item{{"leaseKey": str("Migration3.0"), "cv": num("3")}}, nil, false},
		"a leader and no version":     {[]item{leader}, nil, false},
		"a shard that is called so":   {[]item{leaseRow(item{"leaseKey": str("Leader")})}, nil, true},
		"rolled back in 3.4":          {nil, []item{beside("CLIENT_VERSION_2X")}, true},
		"upgraded in 3.4":             {nil, []item{beside("CLIENT_VERSION_3X")}, false},
		"3.4's word counts":           {[]item{version("CLIENT_VERSION_2X")}, []item{beside("CLIENT_VERSION_3X")}, false},
		"3.4's table without a word":  {nil, []item{}, true},
		"moved from 3.4's table":      {[]item{version("CLIENT_VERSION_3X")}, []item{}, false},
		"only leases, as in KCL 2.x":  {[]item{leaseRow(nil)}, nil, true},
		"only a metrics row of a 3.x": {[]item{{"leaseKey": str("w"), "entityType": str("WORKER_METRIC_STATS")}}, nil, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &fleet{rows: map[string][]map[string]any{}}
			for _, row := range test.among {
				f.rows["orders"] = append(f.rows["orders"], wire(row))
			}
			if test.beside != nil {
				f.rows["orders-CoordinatorState"] = []map[string]any{}
			}
			for _, row := range test.beside {
				f.rows["orders-CoordinatorState"] = append(f.rows["orders-CoordinatorState"], wire(row))
			}
			err := newTable(t, stub(f.answer)).Ensure(t.Context())
			if test.fine != (err == nil) || err != nil && !errors.Is(err, lease.ErrInvalidState) {
				t.Errorf("got error %v, want fine %v", err, test.fine)
			}
		})
	}
}

func TestNewRefusesOptionsThatCannotBe(t *testing.T) {
	t.Parallel()
	client := stub(func(string, request) (int, any) { return 0, nil })
	tests := map[string]struct {
		api  leasedynamo.API
		opts leasedynamo.Options
		want string
	}{
		"no client":           {nil, leasedynamo.Options{TableName: "t"}, "client"},
		"no table":            {client, leasedynamo.Options{}, "TableName"},
		"half the capacity":   {client, leasedynamo.Options{TableName: "t", ReadCapacity: 1}, "WriteCapacity 0"},
		"a negative time":     {client, leasedynamo.Options{TableName: "t", RequestTimeout: -1}, "RequestTimeout is -1ns"},
		"a negative capacity": {client, leasedynamo.Options{TableName: "t", ReadCapacity: -1, WriteCapacity: -1}, "ReadCapacity is -1"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := leasedynamo.New(test.api, test.opts); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want one about %s", err, test.want)
			}
		})
	}
}
