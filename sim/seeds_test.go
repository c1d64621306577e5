//go:build !race

package sim_test

// defaultSeeds is how many worlds each test runs if it is not told.
const defaultSeeds = 12
