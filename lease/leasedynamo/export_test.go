package leasedynamo

// What the tests of the row's format need to see.
var (
	Encode  = encode
	Decode  = decode
	IsLease = isLease
)
