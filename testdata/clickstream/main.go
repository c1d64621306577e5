// Command clickstream prints made-up clicks as JSON lines, always the same for
// the same arguments: the sample input of the README and of the tests.
//
//	go run ./testdata/clickstream LINES [SEED]
package main

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"time"
)

func main() {
	lines, seed := 1000, uint64(1)
	if len(os.Args) > 1 {
		lines, _ = strconv.Atoi(os.Args[1])
	}
	if len(os.Args) > 2 {
		seed, _ = strconv.ParseUint(os.Args[2], 10, 64)
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	pick := func(s ...string) string { return s[rng.IntN(len(s))] }
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	w := bufio.NewWriterSize(os.Stdout, 1<<20)
	defer func() { _ = w.Flush() }()
	for i := range lines {
		at = at.Add(time.Duration(rng.IntN(90)) * time.Millisecond)
		_, _ = fmt.Fprintf(w, `{"id":"%016x","n":%d,"at":"%s","user":"u%05d","event":"%s","page":"/%s/%s?ref=%s","ms":%d,"agent":"%s","country":"%s","price":%d.%02d}`+"\n",
			rng.Uint64(), i+1, at.Format("2006-01-02T15:04:05.000Z"), rng.IntN(20000), pick("view", "click", "add_to_cart", "purchase", "search"),
			pick("shoes", "shirts", "books", "music", "garden"), pick("new", "sale", "popular", "all")+strconv.Itoa(rng.IntN(500)),
			pick("mail", "search", "home", "ad"), rng.IntN(3000), pick("Firefox/142.0", "Chrome/141.0", "Safari/19.1", "curl/8.15"),
			pick("DE", "FR", "US", "BR", "JP", "IN"), rng.IntN(300), rng.IntN(100))
	}
}
