package browser_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// The release of axe-core that pages are examined by: a file of its package, and the digest that npm publishes of that.
const (
	axePackage   = "axe-core@4.14.1"
	axeIntegrity = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
)

// axe returns axe-core, fetched by npm: nothing of it is run but in the page.
func axe(t *testing.T) string {
	t.Helper()
	npm := tool(t, "npm")
	dir := t.TempDir()
	cmd := exec.Command(npm, "pack", "--silent", "--pack-destination", dir, axePackage)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		lacking(t, "npm cannot fetch "+axePackage+": "+err.Error()+": "+string(out))
	}
	packed, err := filepath.Glob(filepath.Join(dir, "axe-core-*.tgz"))
	require.NoError(t, err)
	require.Len(t, packed, 1)
	b, err := os.ReadFile(packed[0])
	require.NoError(t, err)
	sum := sha512.Sum512(b)
	require.Equal(t, axeIntegrity, base64.StdEncoding.EncodeToString(sum[:]))
	z, err := gzip.NewReader(bytes.NewReader(b))
	require.NoError(t, err)
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		require.NoError(t, err, "no axe.min.js in the package")
		if strings.HasSuffix(h.Name, "/axe.min.js") {
			script, err := io.ReadAll(r)
			require.NoError(t, err)
			return string(script)
		}
	}
}

// violations returns what axe-core finds in the page, however grave, and how many of its rules the page has passed.
func (p *tab) violations(script string) (found []string, passed int) {
	p.t.Helper()
	if !eval[bool](p, "'axe' in window") {
		_, err := chromedp.Run(p, chromedp.Evaluate[any](script+"; null"))
		require.NoError(p.t, err)
	}
	got, err := chromedp.Run(p, chromedp.Evaluate[struct {
		Passes     int      `json:"passes"`
		Violations []string `json:"violations"`
	}](`axe.run({resultTypes: ["violations"]}).then(r => ({passes: r.passes.length,
		violations: r.violations.map(v => v.impact + ": " + v.id + ": " + v.help + ": " + v.nodes.slice(0, 3).map(n => n.html).join(" "))}))`,
		chromedp.EvalAwaitPromise))
	require.NoError(p.t, err)
	return got.Violations, got.Passes
}
