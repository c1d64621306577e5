package sim_test

// brokenOnce are the worlds that broke once. A failing run prints its row.
func brokenOnce() []struct {
	kind kind
	seed uint64
	keep []int
	what string
} {
	return nil
}
