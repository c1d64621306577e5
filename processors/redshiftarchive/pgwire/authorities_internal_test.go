package pgwire

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"testing"
	"time"
)

// TestMain has a system that knows no authorities, as many images.
func TestMain(m *testing.M) {
	for _, name := range []string{"SSL_CERT_FILE", "SSL_CERT_DIR"} {
		if err := os.Setenv(name, os.DevNull); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// TestAmazonsAuthorities: they are those that Amazon publishes, by their SHA-256, and trusted
// unless others are named.
func TestAmazonsAuthorities(t *testing.T) {
	t.Parallel()
	left := map[string]string{ // as in the repository of Amazon Trust Services
		"8ecde6884f3d87b1125ba31ac3fcb13d7016de7f57cc904fe1cb97c6ae98196e": "Amazon Root CA 1",
		"1ba5b2aa8c65401a82960118f80bec4f62304d83cec4713a19c39c011ea46db4": "Amazon Root CA 2",
		"18ce6cfe7bf14e60b2e347b8dfe868cb31d02ebb3ada271569f50343b46db3a4": "Amazon Root CA 3",
		"e35d28419ed02025cfa69038cd623962458da5c695fbdea3c22b0bfb25897092": "Amazon Root CA 4",
		"568d6905a2c88708a4b3025190edcfedb1974a606a13c6e5290fcb2ae63edab5": "Starfield Services Root Certificate Authority - G2",
		"1465fa205397b876faa6f0a9958e5590e40fcc7faa4fb7c2c8677521fb5fb658": "Starfield Class 2",
	}
	var first []byte
	rest := amazon
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		sum := fmt.Sprintf("%x", sha256.Sum256(block.Bytes))
		if left[sum] == "" {
			t.Errorf("%s is not one of Amazon's", sum)
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = pem.EncodeToMemory(block)
		}
		at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		if _, err := c.Verify(x509.VerifyOptions{Roots: authorities(nil), CurrentTime: at}); err != nil {
			t.Errorf("%s: %v", left[sum], err)
		}
		_, err = c.Verify(x509.VerifyOptions{Roots: authorities(first), CurrentTime: at})
		if isFirst := bytes.Contains(first, pem.EncodeToMemory(block)); (err == nil) != isFirst {
			t.Errorf("%s beside another authority: %v", left[sum], err)
		}
		delete(left, sum)
	}
	if len(left) > 0 {
		t.Errorf("%v are missing", left)
	}
}
