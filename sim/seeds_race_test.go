//go:build race

package sim_test

// defaultSeeds is how many worlds each test runs if it is not told: goroutines meet in
// few as in many, and under the race detector a world takes ten times as long.
const defaultSeeds = 6
