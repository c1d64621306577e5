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
	}
}
