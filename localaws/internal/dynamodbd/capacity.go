package dynamodbd

// consumption is the ConsumedCapacity of an answer.
type consumption struct {
	TableName     string
	CapacityUnits float64
}

// checkCapacity checks ReturnConsumedCapacity, of which the detail by index is
// not supported.
func checkCapacity(value string) error {
	if value == "INDEXES" {
		return notSupported("ReturnConsumedCapacity INDEXES")
	}
	return checkEnum("returnConsumedCapacity", value, "TOTAL", "NONE")
}

// checkMetrics checks ReturnItemCollectionMetrics. Only tables with local
// secondary indexes have any, so both values give none.
func checkMetrics(value string) error {
	return checkEnum("returnItemCollectionMetrics", value, "SIZE", "NONE")
}

// consumed gives the ConsumedCapacity to answer, nil if it was not asked for.
func consumed(asked, table string, units float64) *consumption {
	if asked != "TOTAL" {
		return nil
	}
	return &consumption{TableName: table, CapacityUnits: units}
}

// readUnits is what reading so many bytes costs: a unit for 4 KB, half if it
// may be stale.
func readUnits(size int, consistent bool) float64 {
	units := float64(max(1, (size+4095)/4096))
	if !consistent {
		units /= 2
	}
	return units
}

// writeUnits is what writing so many bytes costs: a unit for 1 KB.
func writeUnits(size int) float64 { return float64(max(1, (size+1023)/1024)) }
