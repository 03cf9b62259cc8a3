package statement_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/statement"
)

func build(t testing.TB, k keys, list ...statement.Use) statement.Statement {
	s, err := statement.Build(t.Context(), k, "acme", list, noon)
	require.NoError(t, err)
	return s
}

// kinds are those of discrepancies, with their keys.
func kinds(list []statement.Discrepancy) (texts []string) {
	for _, d := range list {
		texts = append(texts, fmt.Sprint(d.Kind, " ", d.Key))
	}
	return texts
}

func TestStatementSaysWhichDataIsUnderWhichKey(t *testing.T) {
	s := build(t, usual(), uses()...)
	var lines []string
	for _, e := range s.Entries {
		lines = append(lines, fmt.Sprint(e.Data, " ", e.Where, " ", e.At, " ", e.Algorithm, " ", e.Strength, " ", e.Key, " ", e.Primary, " ", e.Protocol))
	}
	require.Equal(t, []string{
		"credentials transit api TLS_AES_128_GCM_SHA256 128 0 false TLS 1.3",
		"volumes backup vault-2 AES256_GCM 256 1 true ",
		"volumes storage eu-1 AES256_GCM 256 3 true ",
		"volumes storage eu-1 AES128_GCM 128 2 false ",
	}, lines, "not what is destroyed")
	require.Equal(t, noon.AddDate(0, 0, -10), s.Entries[2].Since)
	require.EqualValues(t, 7, *s.Entries[3].Objects)
	require.Nil(t, s.Entries[2].Objects)
	require.Empty(t, s.Check(claims()))

	shuffled := uses()
	slices.Reverse(shuffled)
	require.Equal(t, s.Digest(), build(t, usual(), shuffled...).Digest(), "in whatever order it is declared")
}

func TestEachDifferenceFromAPromiseIsFound(t *testing.T) {
	storage := func(k ...keymgmt.Key) keys { return keys{volumes: k} }
	use := uses()[0]
	claim := statement.Claim{Data: "volumes", Where: statement.Storage, Strength: 128}
	channel := func(change func(*statement.Channel)) []statement.Use {
		u := uses()[2]
		change(u.Channel)
		return []statement.Use{u}
	}
	promise := func(change func(*statement.Claim)) []statement.Claim {
		c := claims()[2]
		change(&c)
		return []statement.Claim{c}
	}
	active := key(volumes, 3, keymgmt.Active, "AES256_GCM", 10)
	for name, test := range map[string]struct {
		keys   keys
		uses   []statement.Use
		claims []statement.Claim
		want   []string
	}{
		"kept":            {storage(active), []statement.Use{use}, []statement.Claim{claim}, nil},
		"nothing there":   {storage(active), nil, []statement.Claim{claim}, []string{"uncovered 0"}},
		"another place":   {storage(active), []statement.Use{use}, []statement.Claim{claim, {Data: "volumes", Where: statement.Backup, Strength: 128}}, []string{"uncovered 0"}},
		"a bad promise":   {storage(active), []statement.Use{use}, []statement.Claim{claim, {Data: "volumes", Where: statement.Storage}}, []string{"uncovered 0"}},
		"no promise":      {storage(active), []statement.Use{use}, nil, []string{"unclaimed 3"}},
		"in clear":        {nil, []statement.Use{{Data: "volumes", Where: statement.Storage, At: "eu-1", Clear: true}}, []statement.Claim{claim}, []string{"in-clear 0"}},
		"weak":            {storage(active, key(volumes, 2, keymgmt.Deactivated, "AES128_GCM", 40)), []statement.Use{use}, []statement.Claim{{Data: "volumes", Where: statement.Storage, Strength: 256}}, []string{"weak 2"}},
		"weak, and empty": {storage(active, counted(key(volumes, 2, keymgmt.Deactivated, "AES128_GCM", 40), 0)), []statement.Use{use}, []statement.Claim{{Data: "volumes", Where: statement.Storage, Strength: 256}}, nil},
		"unknown":         {storage(key(volumes, 3, keymgmt.Active, "ROT13", 1)), []statement.Use{use}, []statement.Claim{claim}, []string{"weak 3"}},
		"another algorithm": {storage(active), []statement.Use{use}, []statement.Claim{{Data: "volumes", Where: statement.Storage, Strength: 128, Algorithms: []string{"AES128_GCM", "XCHACHA20_POLY1305"}}},
			[]string{"other 3"}},
		"not its own": {keys{disks: {key(disks, 1, keymgmt.Active, "AES256_GCM", 5)}}, []statement.Use{{Data: "volumes", Where: statement.Storage, At: "eu-1", Keyset: disks}},
			[]statement.Claim{{Data: "volumes", Where: statement.Storage, Strength: 128, OwnKeys: true}}, []string{"shared 1"}},
		"protects too long": {storage(key(volumes, 3, keymgmt.Active, "AES256_GCM", 30)), []statement.Use{use}, []statement.Claim{claim}, []string{"expired 3"}},
		"to the last day":   {storage(key(volumes, 3, keymgmt.Active, "AES256_GCM", 29)), []statement.Use{use}, []statement.Claim{claim}, nil},
		"kept too long": {storage(active, key(volumes, 2, keymgmt.Deactivated, "AES256_GCM", 90), counted(key(volumes, 1, keymgmt.Deactivated, "AES256_GCM", 90), 0)),
			[]statement.Use{use}, []statement.Claim{claim}, []string{"expired 2"}},
		"compromised": {storage(active, key(volumes, 2, keymgmt.Compromised, "AES256_GCM", 40), counted(key(volumes, 1, keymgmt.Compromised, "AES256_GCM", 50), 0)),
			[]statement.Use{use}, []statement.Claim{claim}, []string{"compromised 2"}},
		"no keys":    {storage(), []statement.Use{use}, []statement.Claim{claim}, []string{"no-key 0"}},
		"no primary": {storage(key(volumes, 3, keymgmt.Suspended, "AES256_GCM", 10)), []statement.Use{use}, []statement.Claim{claim}, []string{"no-key 0"}},

		"channel kept":      {nil, channel(func(*statement.Channel) {}), promise(func(*statement.Claim) {}), nil},
		"an old protocol":   {nil, channel(func(c *statement.Channel) { c.Protocol = "TLS 1.2" }), promise(func(*statement.Claim) {}), []string{"other 0"}},
		"an old cipher":     {nil, channel(func(c *statement.Channel) { c.Cipher = "TLS_RSA_WITH_RC4_128_SHA" }), promise(func(*statement.Claim) {}), []string{"weak 0"}},
		"an old exchange":   {nil, channel(func(c *statement.Channel) { c.KeyExchange = "CurveP256" }), promise(func(c *statement.Claim) { c.KeyExchanges = []string{"X25519MLKEM768"} }), []string{"other 0"}},
		"one side":          {nil, channel(func(c *statement.Channel) { c.Mutual = false }), promise(func(*statement.Claim) {}), []string{"one-sided 0"}},
		"seen long ago":     {nil, channel(func(c *statement.Channel) { c.Seen = noon.Add(-24*time.Hour - 1) }), promise(func(*statement.Claim) {}), []string{"stale 0"}},
		"seen just in time": {nil, channel(func(c *statement.Channel) { c.Seen = noon.Add(-24 * time.Hour) }), promise(func(*statement.Claim) {}), nil},
		"whenever seen":     {nil, channel(func(c *statement.Channel) { c.Seen = noon.AddDate(-1, 0, 0) }), promise(func(c *statement.Claim) { c.SeenWithin = 0 }), nil},
		"two claims, alike": {nil, channel(func(c *statement.Channel) { c.Mutual = false }), append(promise(func(*statement.Claim) {}), promise(func(*statement.Claim) {})...), []string{"one-sided 0"}},
		"two claims, much alike": {nil, channel(func(c *statement.Channel) { c.Mutual, c.Protocol = false, "TLS 1.2" }), append(promise(func(*statement.Claim) {}), promise(func(*statement.Claim) {})...),
			[]string{"one-sided 0", "other 0"}},
		"compromised, and to be destroyed": {storage(active, marked(key(volumes, 2, keymgmt.DestroyScheduled, "AES256_GCM", 40)), counted(marked(key(volumes, 1, keymgmt.DestroyFailed, "AES256_GCM", 50)), 0)),
			[]statement.Use{use}, []statement.Claim{claim}, []string{"compromised 2"}},
		"two claims, one bad": {nil, channel(func(*statement.Channel) {}), append(promise(func(*statement.Claim) {}), promise(func(c *statement.Claim) { c.Strength = 256 })...), []string{"weak 0"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := build(t, test.keys, test.uses...).Check(test.claims)
			require.Equal(t, test.want, kinds(got), "%v", got)
			for _, d := range got {
				require.NotEmpty(t, d.Why)
				require.Contains(t, d.String(), string(d.Kind)+": "+d.Why)
			}
		})
	}
}

// A primary that its record no longer lets protect does not count, whatever the keyset says.
type stuck struct{ keys }

func (s stuck) Keyset(ctx context.Context, id keymgmt.SetID) (keymgmt.Keyset, error) {
	set, err := s.keys.Keyset(ctx, id)
	set.Primary = 3
	return set, err
}

func TestAPrimaryThatMayNotProtectIsFound(t *testing.T) {
	for _, state := range []keymgmt.State{keymgmt.PreActivation, keymgmt.Suspended, keymgmt.Deactivated, keymgmt.DestroyScheduled} {
		s, err := statement.Build(t.Context(), stuck{keys{volumes: {key(volumes, 3, state, "AES256_GCM", 10)}}}, "acme", uses()[:1], noon)
		require.NoError(t, err)
		require.Equal(t, []string{"no-key 3"}, kinds(s.Check(claims()[:1])), state)
	}
}

func TestBadUsesAreRefused(t *testing.T) {
	elsewhere := keymgmt.SetID{Tenant: "globex", ID: "volumes"}
	for name, u := range map[string]statement.Use{
		"no data":             {Where: statement.Storage, At: "x", Clear: true},
		"no place":            {Data: "x", Where: statement.Storage, Clear: true},
		"an unknown place":    {Data: "x", Where: "moon", At: "x", Clear: true},
		"a long name":         {Data: strings.Repeat("x", 257), Where: statement.Storage, At: "x", Clear: true},
		"nothing":             {Data: "x", Where: statement.Storage, At: "x"},
		"two":                 {Data: "x", Where: statement.Storage, At: "x", Clear: true, Keyset: volumes},
		"a channel in a room": {Data: "x", Where: statement.Storage, At: "x", Channel: tls13()},
		"another tenant's":    {Data: "x", Where: statement.Storage, At: "x", Keyset: elsewhere},
		"not of text":         {Data: "x\xff", Where: statement.Storage, At: "x", Clear: true},
		"two lines":           {Data: "x", Where: statement.Storage, At: "x\nstorage y", Clear: true},
		"a channel of a page": {Data: "x", Where: statement.Transit, At: "x", Channel: &statement.Channel{Protocol: "TLS 1.3", Cipher: strings.Repeat("x", 257), Seen: noon}},
		"seen tomorrow":       {Data: "x", Where: statement.Transit, At: "x", Channel: &statement.Channel{Protocol: "TLS 1.3", Seen: noon.Add(1)}},
		"never seen":          {Data: "x", Where: statement.Transit, At: "x", Channel: &statement.Channel{Protocol: "TLS 1.3"}},
		"no protocol":         {Data: "x", Where: statement.Transit, At: "x", Channel: &statement.Channel{Seen: noon}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := statement.Build(t.Context(), usual(), "acme", []statement.Use{u}, noon)
			require.ErrorIs(t, err, opsec.ErrInvalid)
			require.ErrorContains(t, err, "uses[0]")
		})
	}
	_, err := statement.Build(t.Context(), usual(), "/", nil, noon)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = statement.Build(t.Context(), keys{}, "acme", uses(), noon)
	require.ErrorIs(t, err, opsec.ErrNotFound)
	_, err = statement.Build(t.Context(), keys{}, "acme", make([]statement.Use, 10_001), noon)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

type broken struct{ keys }

var errLost = errors.New("lost")

func (broken) Keys(context.Context, keymgmt.SetID) iter.Seq2[keymgmt.Key, error] {
	return func(yield func(keymgmt.Key, error) bool) { yield(keymgmt.Key{}, errLost) }
}

// busy rotates its keyset between the first reading of the keyset and that of its keys.
type busy struct {
	keys
	asked *int
}

func (b busy) Keyset(ctx context.Context, id keymgmt.SetID) (keymgmt.Keyset, error) {
	set, err := b.keys.Keyset(ctx, id)
	set.Generation = 2
	if *b.asked++; *b.asked == 1 {
		set.Primary, set.Generation = 2, 1
	}
	return set, err
}

func TestARotationMeanwhileIsNotSeenByHalf(t *testing.T) {
	s, err := statement.Build(t.Context(), busy{usual(), new(int)}, "acme", uses()[:1], noon)
	require.NoError(t, err)
	require.Empty(t, s.Check(claims()[:1]))
	require.True(t, s.Entries[0].Primary)
}

// restless never stands still.
type restless struct {
	keys
	asked *int
}

func (r restless) Keyset(ctx context.Context, id keymgmt.SetID) (keymgmt.Keyset, error) {
	set, err := r.keys.Keyset(ctx, id)
	*r.asked++
	set.Generation = uint64(*r.asked)
	return set, err
}

func TestAKeysetThatNeverStandsStillIsNoStatement(t *testing.T) {
	_, err := statement.Build(t.Context(), restless{usual(), new(int)}, "acme", uses()[:1], noon)
	require.ErrorContains(t, err, "uses[0]: statement: keyset acme/volumes has changed")
}

func TestDifferencesNameTheKeyset(t *testing.T) {
	two := keymgmt.SetID{Tenant: "acme", ID: "volumes2"}
	s := build(t, keys{volumes: {key(volumes, 1, keymgmt.Active, "AES128_GCM", 5)}, two: {key(two, 1, keymgmt.Active, "AES128_GCM", 5)}},
		statement.Use{Data: "volumes", Where: statement.Storage, At: "eu-1", Keyset: volumes},
		statement.Use{Data: "volumes", Where: statement.Storage, At: "eu-1", Keyset: two})
	got := s.Check([]statement.Claim{{Data: "volumes", Where: statement.Storage, Strength: 256}})
	require.Len(t, got, 2)
	require.Equal(t, []keymgmt.SetID{volumes, two}, []keymgmt.SetID{got[0].Set, got[1].Set})
	require.Contains(t, got[1].String(), "acme/volumes2")
}

func TestALookFromTheFutureIsNoLook(t *testing.T) {
	s := build(t, usual(), uses()...)
	s.Time = noon.Add(-2 * time.Hour) // such as read from elsewhere
	require.Equal(t, []string{"stale 0"}, kinds(s.Check(claims())))
}

func TestHalfOfTheKeysIsNoStatement(t *testing.T) {
	_, err := statement.Build(t.Context(), broken{usual()}, "acme", uses(), noon)
	require.ErrorIs(t, err, errLost)
}

func TestEveryCipherSuiteThatGoDealsWithIsKnown(t *testing.T) {
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		s := build(t, nil, statement.Use{Data: "x", Where: statement.Transit, At: "x", Channel: &statement.Channel{Protocol: "TLS 1.2", Cipher: suite.Name, Seen: noon}})
		want := 0
		switch {
		case strings.Contains(suite.Name, "RC4"):
		case strings.Contains(suite.Name, "3DES"):
			want = 112
		case strings.Contains(suite.Name, "128"):
			want = 128
		default:
			want = 256
		}
		require.Equal(t, want, s.Entries[0].Strength, suite.Name)
	}
}

// A stronger promise finds at least what a weaker one does, and what keeps it keeps all weaker ones.
func TestAStrongerPromiseFindsNoLess(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var list []keymgmt.Key
		for id := rapid.IntRange(0, 4).Draw(t, "keys"); id > 0; id-- {
			state := rapid.SampledFrom([]keymgmt.State{keymgmt.Active, keymgmt.Deactivated, keymgmt.Compromised, keymgmt.Destroyed}).Draw(t, "state")
			list = append(list, key(volumes, uint32(id), state, rapid.SampledFrom([]keymgmt.Algorithm{"AES128_GCM", "AES256_GCM"}).Draw(t, "algorithm"), rapid.IntRange(0, 100).Draw(t, "days")))
		}
		s, err := statement.Build(context.Background(), keys{volumes: list}, "acme", uses()[:1], noon)
		require.NoError(t, err)
		last := -1
		for _, bits := range []int{1, 128, 192, 256, 512} {
			found := len(s.Check([]statement.Claim{{Data: "volumes", Where: statement.Storage, Strength: bits}}))
			require.GreaterOrEqual(t, found, last)
			last = found
		}
	})
}

func TestClaimsAreData(t *testing.T) {
	text, err := json.Marshal(claims())
	require.NoError(t, err)
	require.Contains(t, string(text), `"seen_within":"24h0m0s"`)
	var read []statement.Claim
	require.NoError(t, json.Unmarshal(text, &read))
	require.Equal(t, claims(), read)
	for _, bad := range []string{
		`{"data":"x","where":"storage"}`, `{"data":"x","where":"storage","strength":128,"more":1}`, `{"where":"storage","strength":128}`,
		`{"data":"x","where":"moon","strength":128}`, `{"data":"x","where":"storage","strength":2000}`, `{"data":"x","where":"storage","strength":128,"mutual":true}`,
		`{"data":"x","where":"transit","strength":128,"seen_within":"-1s"}`, `{"data":"x","where":"storage","strength":1,"protocols":["TLS 1.3"]}`,
	} {
		require.ErrorIs(t, json.Unmarshal([]byte(bad), new(statement.Claim)), opsec.ErrInvalid, bad)
	}
}

func FuzzStatement(f *testing.F) {
	good, err := json.Marshal(build(f, usual(), uses()...))
	require.NoError(f, err)
	f.Add(good)
	f.Add([]byte(`{"tenant":"acme","time":"2026-03-02T12:00:00Z","entries":[{"data":"x","where":"storage","at":"x","strength":0}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var s statement.Statement
		if json.Unmarshal(b, &s) != nil {
			require.Zero(t, s)
			return
		}
		again, err := json.Marshal(s)
		require.NoError(t, err)
		var read statement.Statement
		require.NoError(t, json.Unmarshal(again, &read))
		require.Equal(t, s.Digest(), read.Digest())
		s.Check(claims())
	})
}

func FuzzClaim(f *testing.F) {
	for _, c := range claims() {
		text, err := json.Marshal(c)
		require.NoError(f, err)
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var c statement.Claim
		if json.Unmarshal(b, &c) != nil {
			require.Zero(t, c)
			return
		}
		require.NoError(t, c.Validate())
		again, err := json.Marshal(c)
		require.NoError(t, err)
		var read statement.Claim
		require.NoError(t, json.Unmarshal(again, &read))
		text, err := json.Marshal(read)
		require.NoError(t, err)
		require.Equal(t, string(again), string(text))
	})
}
