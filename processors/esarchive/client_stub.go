package esarchive

import (
	"context"
	"errors"
	"strconv"
	"strings"
)

type client struct{ s settings }

func newClient(s settings) (*client, error) {
	if len(s.Endpoints) == 0 {
		return nil, errors.New("Endpoints: must have at least one")
	}
	return &client{s}, nil
}

func (*client) bulk(context.Context, []byte, int) (answer, *fault) { return answer{}, nil }
func (*client) cluster(context.Context) cluster                    { return cluster{} }

func (x *Index) Check(context.Context) error { return nil }

// ParseEngine is the client's.
func ParseEngine(text string) (engine string, major, minor int, err error) {
	engine, version, _ := strings.Cut(text, "_")
	a, b, _ := strings.Cut(version, ".")
	major, err1 := strconv.Atoi(a)
	minor, err2 := strconv.Atoi(b)
	return engine, major, minor, errors.Join(err1, err2)
}
