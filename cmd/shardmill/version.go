package main

import (
	"context"
	"runtime"
	"runtime/debug"
)

const versionHelp = `shardmill version

Prints the version of shardmill, that of Go, and the system it was built for.
`

func runVersion(_ context.Context, args []string, s stdio) error {
	f := newFlags("version", versionHelp)
	if err := f.parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return usagef("version takes no arguments")
	}
	s.printf("shardmill %s %s %s/%s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}

// version returns which version of the module this is.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return "unknown"
}
