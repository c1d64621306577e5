package searchtest_test

import (
	"context"
	"net"
	"net/http"
	"testing"

	"github.com/shardmill/shardmill/localaws"
	"github.com/shardmill/shardmill/localaws/searchtest"
)

const limit = 1 << 20

func stack(t *testing.T, o localaws.ClusterOptions) *localaws.Stack {
	t.Helper()
	o.Open, o.MaxContentLength = true, limit
	s, err := localaws.New(localaws.Options{Cluster: o})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// TestInProcess makes requests without sockets.
func TestInProcess(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"OpenSearch_2.19", "Elasticsearch_6.8", "OpenSearch_3.1"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			cluster := stack(t, localaws.ClusterOptions{Engine: engine}).Cluster()
			searchtest.Run(t, searchtest.Cluster{
				Endpoint: localaws.ClusterEndpoint, Client: &http.Client{Transport: cluster.Transport()},
				Typed: engine == "Elasticsearch_6.8", MaxContentLength: limit,
			})
		})
	}
}

// TestOverTCP makes them over a connection.
func TestOverTCP(t *testing.T) {
	t.Parallel()
	cluster := stack(t, localaws.ClusterOptions{}).Cluster()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- cluster.Serve(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Errorf("serving: %v", err)
		}
	})
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	searchtest.Run(t, searchtest.Cluster{
		Endpoint: "http://" + listener.Addr().String(), Client: &http.Client{Transport: transport}, MaxContentLength: limit,
	})
}
