package document_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/sla/document"
)

func TestReport(t *testing.T) {
	r := compute(t, input(t))
	d, err := r.Provider()
	require.NoError(t, err)
	os.WriteFile("/tmp/doc/p.html", []byte(html(t, d)), 0o644)
	os.WriteFile("/tmp/doc/p.md", []byte(markdown(t, d)), 0o644)
	d, err = r.Customer(document.Customer{Tenant: "acme", Owns: func(s string) bool { return strings.HasPrefix(s, "vm-0") }, Withhold: func(s string) bool { return strings.Contains(s, "globex") }})
	require.NoError(t, err)
	os.WriteFile("/tmp/doc/c.html", []byte(html(t, d)), 0o644)
	os.WriteFile("/tmp/doc/c.md", []byte(markdown(t, d)), 0o644)
}
