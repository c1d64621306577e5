package config
import ("testing";"fmt";"strings";"time"
"github.com/goccy/go-yaml/parser"
)
func TestSize(t *testing.T) {
	for _, n := range []int{1000, 5000, 20000} {
		for name, s := range map[string]string{"lines": strings.Repeat("a: 1\n", n), "flow": "{"+strings.Repeat("a: 1,", n)+"}", "seq": strings.Repeat("- a\n", n), "text": "a: \"" + strings.Repeat("x", 10*n)+"\"", "plain": "a: " + strings.Repeat("x ", 10*n), "comments": strings.Repeat("# x\n", n), "nl": strings.Repeat("\n", n), "anch": "a: "+strings.Repeat("&a ", n), "tags": "a: "+strings.Repeat("!a ", n), "q": strings.Repeat("? ", n), "colon": strings.Repeat("a: \n ", n)} {
			st := time.Now()
			_, err := parser.ParseBytes([]byte(s), 0, parser.AllowDuplicateMapKey())
			e := fmt.Sprint(err); if len(e) > 60 { e = e[:60] }
			fmt.Println(name, n, time.Since(st), e)
		}
	}
}
