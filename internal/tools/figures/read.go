package main

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// measured are the values of each figure, one for each time it was measured.
type measured map[string][]float64

// read takes the figures out of the output of go test: lines of benchmarks, and
// those that tests log as "figure NAME = VALUE UNIT".
func read(in io.Reader) (measured, error) {
	m := measured{}
	logged := regexp.MustCompile(`: figure (.*) = (\S+) (.*)$`)
	cores := regexp.MustCompile(`-\d+$`)
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if f := logged.FindStringSubmatch(lines.Text()); f != nil {
			if err := m.add(f[1]+" "+f[3], f[2]); err != nil {
				return nil, err
			}
			continue
		}
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		name := cores.ReplaceAllString(strings.TrimPrefix(fields[0], "Benchmark"), "")
		for i := 2; i+1 < len(fields); i += 2 {
			if err := m.add(name+" "+fields[i+1], fields[i]); err != nil {
				return nil, err
			}
		}
	}
	return m, lines.Err()
}

func (m measured) add(key, value string) error {
	v, err := strconv.ParseFloat(value, 64)
	if err != nil {
		return fmt.Errorf("figure %s: %w", key, err)
	}
	m[key] = append(m[key], v)
	return nil
}

// median returns the middle value of a figure, the lower one of two.
func (m measured) median(key string) (float64, error) {
	values := slices.Sorted(slices.Values(m[key]))
	if len(values) == 0 {
		return 0, fmt.Errorf("%q was not measured", key)
	}
	return values[(len(values)-1)/2], nil
}
