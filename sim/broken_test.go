package sim_test

// brokenWorld is a world that broke once, shrunk: a failing run prints its row.
type brokenWorld struct {
	kind kind
	seed uint64
	keep []int // its incidents, by their indices
	what string
}

func brokenOnce() []brokenWorld {
	return []brokenWorld{
		{processorWorld, 1535, []int{0, 4}, "a late request brings the lease of a finished shard back"},
		{processorWorld, 3984, []int{5, 6, 8, 9}, "a lease without history is ended because a shard that follows has begun"},
		{processorWorld, 2265, []int{0, 1, 2, 4, 6, 7, 9, 10}, "the same, and records are lost"},
		{archiverWorld, 2049, []int{25, 26, 32}, "a merged shard waits for a parent that expired before it had a lease"},
	}
}
