package document_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/document"
)

func agreement(t require.TestingT, name string) *sla.Agreement {
	text, err := os.ReadFile("../../examples/slareport/" + name + ".yaml")
	require.NoError(t, err)
	a, err := sla.Parse(text)
	require.NoError(t, err)
	return a
}

func html(t require.TestingT, d *document.Document) string {
	var b bytes.Buffer
	require.NoError(t, d.HTML(&b))
	return b.String()
}

func markdown(t require.TestingT, d *document.Document) string {
	var b bytes.Buffer
	require.NoError(t, d.Markdown(&b))
	return b.String()
}

func data(t require.TestingT, d *document.Document) string {
	var b bytes.Buffer
	require.NoError(t, d.JSON(&b))
	return b.String()
}

func TestAgreement(t *testing.T) {
	d, err := document.Agreement{Agreement: agreement(t, "iaas")}.Document()
	require.NoError(t, err)
	os.WriteFile("/tmp/doc/a.html", []byte(html(t, d)), 0o644)
	os.WriteFile("/tmp/doc/a.md", []byte(markdown(t, d)), 0o644)
}
