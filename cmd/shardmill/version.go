package main

import (
	"context"
	"runtime"
	"runtime/debug"
)

func runVersion(_ context.Context, args []string, s stdio) error {
	if len(args) > 0 {
		return usagef("version takes no arguments")
	}
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version
	}
	s.printf("shardmill %s %s %s/%s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}
