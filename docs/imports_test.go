package docs_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestWhatAnArchiverOfS3Compiles: who archives to S3 alone pays for no other destination: no
// driver of a database, no client of a service that it does not ask, no job beside.
func TestWhatAnArchiverOfS3Compiles(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "../processors/s3archive", "../kcl/kinesissource", "../lease/leasedynamo").Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := strings.Fields(string(out))
	if len(packages) < 100 || !strings.Contains(string(out), "/processors/s3archive\n") {
		t.Fatalf("%d packages", len(packages))
	}
	for _, p := range packages {
		for _, other := range []string{"/pgx/", "/service/redshift", "/service/lambda", "/esarchive", "/redshiftarchive", "/lambdatransform", "/lease/elected", "/awscall", "/localaws"} {
			if strings.Contains(p+"/", other) {
				t.Errorf("it compiles %s", p)
			}
		}
	}
}
