package blocklist_test

import (
	"bytes"
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/identity/password/blocklist"
)

// Look-ups in the list that is embedded, and in lists of a million passwords, which do not fit in the first caches.
//
//	go test -bench Contains ./identity/password/blocklist
func BenchmarkContains(b *testing.B) {
	common, err := blocklist.Default()
	require.NoError(b, err)
	var words, digests bytes.Buffer
	for i := range 1_000_000 {
		fmt.Fprintf(&words, "password %d\n", i)
		fmt.Fprintf(&digests, "%020d%020d:1\n", i*7919, i)
	}
	asked := make([]string, 1024)
	for i := range asked {
		asked[i] = "Password-" + strconv.Itoa(i*7919)
	}
	run := func(name string, list *blocklist.List) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				list.Contains(asked[i%len(asked)])
			}
		})
	}
	run("default", common)
	for _, bits := range []int{8, 16} {
		list, err := blocklist.FromWords(bytes.NewReader(words.Bytes()), &blocklist.Options{Bits: bits})
		require.NoError(b, err)
		run(fmt.Sprintf("words/1M/%dbit", bits), list)
		list, err = blocklist.FromPwned(bytes.NewReader(digests.Bytes()), &blocklist.Options{Bits: bits})
		require.NoError(b, err)
		run(fmt.Sprintf("pwned/1M/%dbit", bits), list)
	}
}

// Building from five million lines, by hand:
//
//	go test -bench Build -benchtime 1x ./identity/password/blocklist
func BenchmarkBuild5M(b *testing.B) {
	if testing.Short() {
		b.Skip("five million lines")
	}
	var digests bytes.Buffer
	for i := range 5_000_000 {
		fmt.Fprintf(&digests, "%020d%020d:1\n", i*7919, i)
	}
	for _, bits := range []int{8, 16} {
		b.Run(fmt.Sprintf("%dbit", bits), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, err := blocklist.FromPwned(bytes.NewReader(digests.Bytes()), &blocklist.Options{Bits: bits})
				require.NoError(b, err)
			}
		})
	}
}
