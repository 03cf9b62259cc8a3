package report_test

import (
	"bytes"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/audit/programme"
	"github.com/cloudopsec/opsec/audit/programme/catalogue"
	"github.com/cloudopsec/opsec/audit/programme/competence"
	"github.com/cloudopsec/opsec/audit/programme/report"
	"github.com/cloudopsec/opsec/internal/strictjson"
)

// spring is an audit that has been reported and is followed up, of a provider with three customers.
func spring(t testing.TB) report.Source {
	t.Helper()
	b, err := os.ReadFile("testdata/audit.json")
	require.NoError(t, err)
	var file struct {
		Audit        programme.Audit          `json:"audit"`
		Certificates []competence.Certificate `json:"certificates"`
		Warnings     []competence.Warning     `json:"warnings"`
		At           time.Time                `json:"at"`
	}
	require.NoError(t, strictjson.Decode(b, &file))
	return report.Source{
		Audit: file.Audit, Catalogue: catalogue.X1642(), Certificates: file.Certificates, Warnings: file.Warnings, At: file.At,
	}
}

func view(t testing.TB, src report.Source, who report.Audience) report.Document {
	t.Helper()
	d, err := report.View(src, who)
	require.NoError(t, err)
	return d
}

func markdown(t testing.TB, d report.Document) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, report.Markdown(&b, d))
	return b.String()
}

func page(t testing.TB, d report.Document) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, report.HTML(&b, d))
	return b.String()
}
