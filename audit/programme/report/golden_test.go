package report_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/audit/programme/report"
)

var update = flag.Bool("update", false, "write testdata/*.md and *.html anew")

// What each audience reads, to be read by people: a change of a report is seen in its diff.
func TestReportsAreAsTheyWere(t *testing.T) {
	for name, who := range map[string]report.Audience{
		"management": report.Management, "auditor": report.Auditor, "acme": report.Tenant("acme"),
	} {
		t.Run(name, func(t *testing.T) {
			src := spring(t)
			for kind, got := range map[string]string{
				".md":   markdown(t, view(t, src, who)),
				".html": page(t, view(t, src, who)),
			} {
				file := filepath.Join("testdata", name+kind)
				if *update {
					require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
				}
				want, err := os.ReadFile(file)
				require.NoError(t, err)
				require.Equal(t, strings.Split(string(want), "\n"), strings.Split(got, "\n"))
			}
		})
	}
}
