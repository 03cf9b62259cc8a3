package trust_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/trust"
	"github.com/cloudopsec/opsec/internal/race"
)

// link is a claim as far as a State looks at it.
func link(sequence uint64, id, previous string) *trust.Claim {
	return &trust.Claim{
		ID: id, Tenant: "acme", Source: "vol-1", Sequence: sequence, Previous: previous,
		Envelope: &dsse.Envelope{Signatures: []dsse.Signature{{KeyID: "k", Sig: "AAAA"}}},
	}
}

// linkSignatures are the ids of what link's envelope carries: the SHA-256 of three zero bytes, cut to 16.
var linkSignatures = []string{"709e80c88487a2411e1ee4dfb9f22a86"}

// chain has accepted a (1), b (2), c (4), each after the other.
func chain(t testing.TB) *trust.State {
	s := new(trust.State)
	for _, c := range []*trust.Claim{link(1, "a", ""), link(2, "b", "a"), link(4, "c", "b")} {
		require.NoError(t, s.Accept(c, noon, true))
	}
	return s
}

func TestPlaceOfAClaim(t *testing.T) {
	for name, tt := range map[string]struct {
		claim *trust.Claim
		want  trust.History
	}{
		"the newest again":                          {link(4, "c", "b"), trust.Newest},
		"the successor":                             {link(5, "d", "c"), trust.Next},
		"the successor, numbers left out":           {link(900, "d", "c"), trust.Next},
		"newer, naming nobody":                      {link(5, "d", ""), trust.Unlinked},
		"newer, after one unseen":                   {link(6, "e", "d"), trust.Missing},
		"an accepted one, older":                    {link(2, "b", "a"), trust.Older},
		"the first one again":                       {link(1, "a", ""), trust.Older},
		"an unseen one between":                     {link(3, "x", "b"), trust.Older},
		"an unseen one from before":                 {link(0, "x", ""), trust.Older},
		"another one in the newest's place":         {link(4, "x", "b"), trust.Fork},
		"another one in the newest's place, alone":  {link(4, "x", ""), trust.Fork},
		"another one in an older place":             {link(2, "x", "a"), trust.Fork},
		"newer, but after an older one":             {link(5, "x", "b"), trust.Fork},
		"in its place, and after the very same one": {link(4, "x", "c"), trust.Fork},
	} {
		s := chain(t)
		require.Equal(t, tt.want, s.Place(tt.claim), name)
		require.Equal(t, chain(t), s, "looking changes nothing")
	}
	require.Equal(t, trust.First, new(trust.State).Place(link(9, "z", "y")), "whatever it is")
}

func TestSourcesAndTenantsAreIndependent(t *testing.T) {
	s := chain(t)
	for _, other := range []struct {
		tenant opsec.TenantID
		source string
	}{{"aaaa", "vol-1"}, {"acme", "vol-2"}, {"bolt", "vol-1"}, {"acme", ""}, {"", "vol-1"}, {"acmevol", "-1"}, {"acme", "vol"}} {
		c := link(1, "a", "")
		c.Tenant, c.Source = other.tenant, other.source
		require.Equal(t, trust.First, s.Place(c), other)
		require.NoError(t, s.Accept(c, noon, true))
		require.Equal(t, trust.Newest, s.Place(c), other)
		require.Equal(t, trust.Newest, s.Place(link(4, "c", "b")), "what was there stays")
	}
	require.Len(t, s.Sources, 8)
	require.True(t, slices.IsSortedFunc(s.Sources, func(a, b trust.SourceState) int {
		return strings.Compare(string(a.Tenant)+"\x00"+a.Source, string(b.Tenant)+"\x00"+b.Source)
	}))
	require.Equal(t, s, reread(t, s))
}

func TestSuspectPlaces(t *testing.T) {
	for h, suspect := range map[trust.History]bool{
		trust.First: false, trust.Next: false, trust.Newest: false, trust.Unlinked: false,
		trust.Missing: true, trust.Older: true, trust.Fork: true, "": false,
	} {
		require.Equal(t, suspect, h.Suspect(), h)
	}
}

func TestEverySuspectPlaceIsExplained(t *testing.T) {
	h := newHolder(t, 1)
	for want, sign := range map[trust.History]*trust.Claim{
		trust.Missing: link(6, "e", "d"), trust.Older: link(2, "b", "a"), trust.Fork: link(4, "x", "b"),
		trust.Next: link(5, "d", "c"), trust.Newest: link(4, "c", "b"), trust.Unlinked: link(5, "d", ""),
	} {
		c := signed(t, h)
		c.ID, c.Sequence, c.Previous = sign.ID, sign.Sequence, sign.Previous
		j := judge(t, trust.Verifier{Policy: h.trusted(), State: chain(t)}, c)
		require.Equal(t, want, j.History)
		require.Equal(t, want.Suspect(), len(j.Reasons) == 1 && j.Reasons[0] != "", want)
	}
}

func TestAcceptanceOfASuspectPlaceIsKnowing(t *testing.T) {
	t.Run("a gap", func(t *testing.T) {
		s := chain(t)
		gap := link(6, "e", "d")
		require.Equal(t, trust.Missing, s.Place(gap))
		require.NoError(t, s.Accept(gap, noon, true))
		require.Equal(t, trust.Newest, s.Place(gap))
		require.Equal(t, trust.Next, s.Place(link(7, "f", "e")))
		require.Equal(t, trust.Older, s.Place(link(5, "d", "c")), "what was left out is older now")
	})
	t.Run("a fork in the newest place", func(t *testing.T) {
		s := chain(t)
		fork := link(4, "x", "b")
		require.Equal(t, trust.Fork, s.Place(fork))
		require.NoError(t, s.Accept(fork, noon, true))
		require.Equal(t, trust.Newest, s.Place(fork))
		require.Equal(t, trust.Fork, s.Place(link(4, "c", "b")), "now the other is the fork")
		require.Equal(t, trust.Missing, s.Place(link(5, "d", "c")), "and its successor has no predecessor")
	})
	t.Run("a fork in an older place", func(t *testing.T) {
		s := chain(t)
		fork := link(2, "x", "a")
		require.NoError(t, s.Accept(fork, noon, true))
		require.Equal(t, trust.Newest, s.Place(fork))
		require.Equal(t, trust.Missing, s.Place(link(4, "c", "b")), "what it replaces is history no more")
		require.Equal(t, trust.Older, s.Place(link(1, "a", "")))
		require.Equal(t, s, reread(t, s))
	})
	t.Run("an unlinked one", func(t *testing.T) {
		s := chain(t)
		require.NoError(t, s.Accept(link(5, "d", ""), noon, true))
		require.Equal(t, trust.Next, s.Place(link(6, "e", "d")))
	})
	t.Run("an older one changes nothing", func(t *testing.T) {
		s := chain(t)
		for _, old := range []*trust.Claim{link(2, "b", "a"), link(3, "x", "b"), link(0, "x", "")} {
			require.Equal(t, trust.Older, s.Place(old))
			require.NoError(t, s.Accept(old, noon.Add(time.Hour), true))
			require.Equal(t, chain(t), s)
		}
	})
}

func TestAcceptanceOfTheNewestAgain(t *testing.T) {
	later := noon.Add(time.Hour)
	for name, tt := range map[string]struct {
		first, again bool
		want         trust.Accepted
	}{
		"trusted twice: the first time counts":       {true, true, trust.Accepted{Claim: "a", Sequence: 1, Time: noon, Signatures: linkSignatures}},
		"untrusted later takes nothing away":         {true, false, trust.Accepted{Claim: "a", Sequence: 1, Time: noon, Signatures: linkSignatures}},
		"trusted later: evidence from then, not ere": {false, true, trust.Accepted{Claim: "a", Sequence: 1, Time: later, Signatures: linkSignatures}},
		"untrusted twice":                            {false, false, trust.Accepted{Claim: "a", Sequence: 1, Time: noon}},
	} {
		s := new(trust.State)
		require.NoError(t, s.Accept(link(1, "a", ""), noon, tt.first))
		require.NoError(t, s.Accept(link(1, "a", ""), later, tt.again))
		require.Equal(t, []trust.Accepted{tt.want}, s.Sources[0].Accepted, name)
	}
}

func TestAcceptanceKeepsUniversalTime(t *testing.T) {
	s := new(trust.State)
	require.NoError(t, s.Accept(link(1, "a", ""), noon.In(time.FixedZone("east", 3600)), true))
	require.Equal(t, noon, s.Sources[0].Accepted[0].Time)
}

func TestAcceptRefusesWhatItCouldNotKeep(t *testing.T) {
	s := chain(t)
	require.ErrorIs(t, s.Accept(link(5, "d", "c"), time.Time{}, true), opsec.ErrInvalid)
	require.ErrorIs(t, s.Accept(link(5, "", "c"), noon, true), opsec.ErrInvalid)
	// JSON would make one source of two.
	for _, change := range []func(*trust.Claim){
		func(c *trust.Claim) { c.ID = "\xff" }, func(c *trust.Claim) { c.Source = "\xff" }, func(c *trust.Claim) { c.Tenant = "\xfe" },
	} {
		c := link(5, "d", "c")
		change(c)
		require.ErrorIs(t, s.Accept(c, noon, true), opsec.ErrInvalid)
	}
	require.Equal(t, chain(t), s)
}

func TestStateForgetsTheOldestFirst(t *testing.T) {
	const most = 4096
	s := new(trust.State)
	id := func(n int) string { return fmt.Sprint("m", n) }
	for n := 1; n <= most+3; n++ {
		require.NoError(t, s.Accept(link(uint64(n), id(n), id(n-1)), noon, true))
	}
	accepted := s.Sources[0].Accepted
	require.Len(t, accepted, most)
	require.Equal(t, id(4), accepted[0].Claim)
	require.Equal(t, id(most+3), accepted[most-1].Claim)
	require.Equal(t, trust.Older, s.Place(link(1, id(1), "")), "what is forgotten is still older")
	require.Equal(t, trust.Next, s.Place(link(most+4, "x", id(most+3))))
	require.Equal(t, trust.Fork, s.Place(link(most+4, "x", id(4))))
	require.Equal(t, trust.Missing, s.Place(link(most+4, "x", id(3))), "suspect all the same")
	require.Equal(t, s, reread(t, s))

	s.Sources[0].Accepted = append(s.Sources[0].Accepted, trust.Accepted{Claim: "x", Sequence: most + 4, Time: noon})
	_, err := trust.ParseState(written(t, s))
	require.ErrorIs(t, err, opsec.ErrInvalid, "more than a state remembers")
}

func written(t require.TestingT, s *trust.State) *bytes.Buffer {
	b := new(bytes.Buffer)
	n, err := s.WriteTo(b)
	require.NoError(t, err)
	require.EqualValues(t, b.Len(), n)
	return b
}

func reread(t require.TestingT, s *trust.State) *trust.State {
	back, err := trust.ParseState(written(t, s))
	require.NoError(t, err)
	return back
}

func TestLinkedChainInOrderIsAlwaysNext(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := new(trust.State)
		steps := rapid.SliceOfN(rapid.Uint64Range(1, 1<<40), 1, 30).Draw(rt, "steps")
		var links []*trust.Claim
		sequence, previous := uint64(0), ""
		for i, step := range steps {
			sequence += step
			c := link(sequence, fmt.Sprint("m", i), previous)
			want := trust.Next
			if i == 0 {
				want = trust.First
			}
			require.Equal(rt, want, s.Place(c))
			require.NoError(rt, s.Accept(c, noon.Add(time.Duration(i)), rapid.Bool().Draw(rt, "trusted")))
			links, previous = append(links, c), c.ID
			if rapid.Bool().Draw(rt, "another day") {
				s = reread(rt, s)
			}
		}
		for i, c := range links {
			want := trust.Older
			if i == len(links)-1 {
				want = trust.Newest
			}
			require.Equal(rt, want, s.Place(c))
		}
		// Leaving any one out, or going back to any one, is noticed.
		if n := len(links); n > 2 {
			out := rapid.IntRange(1, n-2).Draw(rt, "left out")
			s := new(trust.State)
			for _, c := range links[:out] {
				require.NoError(rt, s.Accept(c, noon, true))
			}
			require.Equal(rt, trust.Missing, s.Place(links[out+1]))
		}
	})
}

func TestAnyAcceptancesLeaveAStateInOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := new(trust.State)
		for range rapid.IntRange(1, 40).Draw(rt, "n") {
			c := link(rapid.Uint64Range(0, 8).Draw(rt, "sequence"), rapid.StringMatching(`[a-f]`).Draw(rt, "id"), rapid.StringMatching(`[a-f]?`).Draw(rt, "previous"))
			c.Source = rapid.SampledFrom([]string{"", "vol-1", "vol-2"}).Draw(rt, "source")
			place, before := s.Place(c), reread(rt, s)
			require.NoError(rt, s.Accept(c, noon, true))
			require.Equal(rt, s, reread(rt, s))
			switch place {
			case trust.Older:
				require.Equal(rt, before, s)
			default:
				require.Equal(rt, trust.Newest, s.Place(c))
			}
		}
	})
}

func TestMalformedStatesAreRefused(t *testing.T) {
	at := `"time":"2026-03-01T12:00:00Z","signatures":["709e80c88487a2411e1ee4dfb9f22a86"]`
	source := func(tenant, name string, accepted ...string) string {
		return fmt.Sprintf(`{"tenant":%q,"source":%q,"accepted":[%s]}`, tenant, name, strings.Join(accepted, ","))
	}
	state := func(sources ...string) string { return `{"sources":[` + strings.Join(sources, ",") + `]}` }
	a, b := `{"claim":"a","sequence":1,`+at+`}`, `{"claim":"b","sequence":2,`+at+`}`
	for name, in := range map[string]string{
		"nothing": "", "an empty object": "{}", "no sources": `{"sources":[]}`, "null sources": `{"sources":null}`,
		"one": state(source("t", "s", a, b)), "two sources": state(source("t", "s", a), source("t", "t", a)),
		"two tenants": state(source("t", "z", a), source("u", "s", a)),
	} {
		_, err := trust.ParseState(strings.NewReader(in))
		require.NoError(t, err, name)
	}
	for name, in := range map[string]string{
		"no JSON":                   "x",
		"blanks alone":              " ",
		"cut":                       state(source("t", "s", a))[:40],
		"two values":                "{}{}",
		"an unknown field":          `{"sources":[],"x":1}`,
		"sources out of order":      state(source("t", "t", a), source("t", "s", a)),
		"tenants out of order":      state(source("u", "s", a), source("t", "s", a)),
		"a source twice":            state(source("t", "s", a), source("t", "s", b)),
		"nothing accepted":          state(source("t", "s")),
		"null accepted":             state(`{"tenant":"t","source":"s","accepted":null}`),
		"sequences that fall":       state(source("t", "s", b, a)),
		"a sequence twice":          state(source("t", "s", a, a)),
		"a negative sequence":       state(source("t", "s", `{"claim":"a","sequence":-1,`+at+`}`)),
		"a sequence beyond 64 bits": state(source("t", "s", `{"claim":"a","sequence":18446744073709551616,`+at+`}`)),
		"nothing claimed":           state(source("t", "s", `{"claim":"","sequence":1,`+at+`}`)),
		"no time":                   state(source("t", "s", `{"claim":"a","sequence":1,"signatures":["00"]}`)),
		"a bad time":                state(source("t", "s", `{"claim":"a","sequence":1,"time":"noon"}`)),
		"later: nothing claimed":    state(source("t", "s", a, `{"claim":"","sequence":2,`+at+`}`)),
		"later: no time":            state(source("t", "s", a, `{"claim":"b","sequence":2}`)),
	} {
		s, err := trust.ParseState(strings.NewReader(in))
		require.ErrorIs(t, err, opsec.ErrInvalid, name)
		require.Nil(t, s, name)
	}
	broken := errors.New("broken")
	_, err := trust.ParseState(iotest.ErrReader(broken))
	require.ErrorIs(t, err, broken)
}

func TestStateBeyondItsBoundIsNeitherReadNorWritten(t *testing.T) {
	if race.Enabled {
		t.Skip("64 MiB of JSON by one goroutine take minutes under the race detector")
	}
	const most = 64 << 20
	name := filepath.Join(t.TempDir(), "state")
	s := chain(t)
	s.Sources[0].Source = ""
	s.Sources[0].Source = strings.Repeat("x", most-written(t, s).Len())
	largest := written(t, s)
	require.Equal(t, most, largest.Len())
	_, err := trust.ParseState(io.MultiReader(bytes.NewReader(largest.Bytes()), strings.NewReader(" ")))
	require.ErrorIs(t, err, opsec.ErrInvalid)
	back, err := trust.ParseState(largest)
	require.NoError(t, err)
	require.True(t, back.Sources[0].Source == s.Sources[0].Source)

	require.NoError(t, chain(t).Save(name))
	s.Sources[0].Source += "x"
	require.ErrorIs(t, s.Save(name), opsec.ErrInvalid, "what could not be loaded again is not saved")
	back, err = trust.LoadState(name)
	require.NoError(t, err)
	require.Equal(t, chain(t), back)
}

func TestSavedStateIsItselfAndItsOwners(t *testing.T) {
	name := filepath.Join(t.TempDir(), "state.json")
	none, err := trust.LoadState(name)
	require.NoError(t, err)
	require.Equal(t, new(trust.State), none, "a file that is missing has seen nothing")
	require.NoError(t, none.Save(name))

	require.NoError(t, os.Chmod(name, 0o644))
	require.NoError(t, chain(t).Save(name))
	info, err := os.Stat(name)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode())
	back, err := trust.LoadState(name)
	require.NoError(t, err)
	require.Equal(t, chain(t), back)
	require.Equal(t, written(t, chain(t)).String(), string(read(t, name)))
	require.True(t, json.Valid(read(t, name)))
}

func TestFailedSaveLeavesTheOldState(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "state.json")
	require.NoError(t, chain(t).Save(name))
	before := read(t, name)

	s := chain(t)
	require.NoError(t, s.Accept(link(5, "d", "c"), time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC), true)) // JSON has no such year
	require.Error(t, s.Save(name))
	require.Equal(t, before, read(t, name))
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 1, "nor is anything else left behind")

	require.ErrorIs(t, s.Save(filepath.Join(dir, "absent", "state.json")), fs.ErrNotExist)
	if _, err := os.Stat("/dev/full"); err == nil {
		require.Error(t, chain(t).Save("/dev/full"))
	}
}

func TestUnreadableStateIsNotAnEmptyOne(t *testing.T) {
	_, err := trust.LoadState(t.TempDir())
	require.Error(t, err, "else a rollback would go unnoticed")
	require.NotErrorIs(t, err, fs.ErrNotExist)
	name := filepath.Join(t.TempDir(), "state.json")
	require.NoError(t, os.Symlink("state.json", name))
	_, err = trust.LoadState(name)
	require.Error(t, err, "a link to itself")
	require.NoError(t, os.Remove(name))
	require.NoError(t, os.WriteFile(name, []byte("{"), 0o600))
	_, err = trust.LoadState(name)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

type fullWriter struct{}

func (fullWriter) Write(p []byte) (int, error) { return len(p) / 2, errors.New("full") }

func TestWriteErrorIsPassedOn(t *testing.T) {
	n, err := chain(t).WriteTo(fullWriter{})
	require.EqualError(t, err, "full")
	require.EqualValues(t, written(t, chain(t)).Len()/2, n)
}
