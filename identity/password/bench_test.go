package password_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/identity/password"
)

// A whole check, without the estimate of guesses, which package strength measures.
//
//	go test -bench . ./identity/password
func BenchmarkCheck(b *testing.B) {
	p, err := password.Preset(password.Recommendation)
	require.NoError(b, err)
	p.Similarity = 4
	c := checker(b, p)
	text, before := []byte("7 otters knit quietly"), []byte("6 otters swim loudly")
	about := password.Context{Words: []string{"alice.smith@example.org", "Alice Smith"}, Previous: before}
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Check(text, about); err != nil {
			b.Fatal(err)
		}
	}
}
