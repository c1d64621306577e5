package transform

// MaxBytes is how long a request may be.
const MaxBytes = 6 << 20

// Size returns how many bytes a record takes in a request.
func Size(r *Record) int { return 300 + 2*len(r.PartitionKey) + len(r.Data)*4/3 }
