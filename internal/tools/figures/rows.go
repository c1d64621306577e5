package main

// rows are the lines of the table. A benchmark's figure is named by its name
// without "Benchmark" and its unit; a test's by its name and unit.
var rows = []row{ //nolint:gochecknoglobals // a table
	{
		"| records in memory to gzip objects, exactly once | %.2f of the bare compressor's throughput |",
		[]string{"Archive exactly-once-of-gzip-alone"},
	},
	{
		"| the same, at least once | %.2f of it; exactly once comes to %.2f of at least once |",
		[]string{"Archive at-least-once-of-gzip-alone", "Archive exactly-once-of-at-least-once"},
	},
	{
		"| a stream to gzip objects, exactly once: all that `shardmill archive` computes, without TLS | %.0f MB of 1 KB records per second of computing, %.2f of the bare compressor's |",
		[]string{"EndToEnd MB/CPU-s", "EndToEnd of-gzip-alone"},
	},
	{
		"| decoding the answers of GetRecords, 10 MB of 1 KB records | %.1f times less work than the SDK's client; %.1f times with the portable code |",
		[]string{"Decode/10MB-of-1KB x-less-than-SDK", "PortableDecode/10MB-of-1KB x-less-than-SDK"},
	},
	{
		"| a whole worker, from the socket to a processor | %.1f times less work than the SDK's client in a loop; %.1f times with the portable code |",
		[]string{"Worker/10MB-of-1KB/plain x-less-than-SDK", "PortableWorker/10MB-of-1KB/plain x-less-than-SDK"},
	},
	{
		"| the same by TLS, whose work is the same for both | %.1f times less over HTTP/1.1, %.1f times over HTTP/2 |",
		[]string{"Worker/10MB-of-1KB/TLS-h1 x-less-than-SDK", "Worker/10MB-of-1KB/TLS-h2 x-less-than-SDK"},
	},
	{
		"| allocations per record, from the socket to a processor | %.3f, beside %.1f by the SDK's client alone |",
		[]string{"Worker/10MB-of-1KB/plain heap-allocs/record", "Worker/10MB-of-1KB/plain SDK-heap-allocs/record"},
	},
	{
		"| memory of a worker with four shards that are behind | %.0f MiB resident; %.0f where each answer brings 10 MiB |",
		[]string{"Resident/limited MiB", "Resident/10MB MiB"},
	},
	{
		"| finding out that a record is not aggregated | %.0f ns, beside %.0f ns for the SDK's decoding of it |",
		[]string{"SplitPlain ns/op", "Decode/10MB-of-1KB SDK-CPU-ns/record"},
	},
	{
		"| user records out of aggregated ones, their digest checked | %.1f times as fast as by protobuf reflection with 100 of 500 bytes in each, %.1f with 20 of 100 |",
		[]string{"SplitBeside/100_of_500_B x-of-reflection", "SplitBeside/20_of_100_B x-of-reflection"},
	},
	{
		"| a lease row | %.0f allocations to decode, %.0f to encode |",
		[]string{"DecodeRow allocs/op", "EncodeRow allocs/op"},
	},
	{
		"| renewals that one core makes, with the SDK | %.0f a second; 5,000 leases need 1,750 |",
		[]string{"Renew/worker renewals/s"},
	},
	{
		"| one worker with 5,000 leases and a table with a slow tail | no lease lives longer than %.2f of the failover time on one renewal |",
		[]string{"one worker, 5000 leases, longest life on one renewal of the failover time"},
	},
	{
		"| requests per idle lease and minute | %.1f with 100 leases, %.1f with 10,000 |",
		[]string{"cost, 100 leases, 4 workers, idle requests per lease per minute", "cost, 10000 leases, 1 workers, idle requests per lease per minute"},
	},
	{
		"| price of the lease table beside the Java KCL 2.x, idle | %.2f of it with 1 lease, %.2f with 100, %.2f with 10,000 |",
		[]string{
			"cost, 1 leases, 1 workers, idle of Java's price", "cost, 100 leases, 4 workers, idle of Java's price",
			"cost, 10000 leases, 1 workers, idle of Java's price",
		},
	},
	{
		"| the same with a checkpoint each 10 s | %.2f, %.2f, %.2f |",
		[]string{
			"cost, 1 leases, 1 workers, a checkpoint each 10 s of Java's price", "cost, 100 leases, 4 workers, a checkpoint each 10 s of Java's price",
			"cost, 10000 leases, 1 workers, a checkpoint each 10 s of Java's price",
		},
	},
	{
		"| write units per lease and minute with an exactly-once object each 10 s | %.1f with 100 leases |",
		[]string{"cost, 100 leases, 4 workers, an exactly-once object each 10 s write units per lease per minute"},
	},
	{
		"| 500 workers and 10,000 leases, simulated | balanced %.1f scan intervals after an empty start, %.1f after a tenth of the workers is replaced at once |",
		[]string{"rounds, 500 workers, 10000 leases, empty start ticks", "rounds, 500 workers, 10000 leases, a tenth replaced ticks"},
	},
	{
		"| leases of live workers that move in that replacement | %.3f of all |",
		[]string{"rounds, 500 workers, 10000 leases, a tenth replaced moved needlessly per lease"},
	},
}
