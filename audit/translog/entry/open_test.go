package entry_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog/entry"
	"github.com/cloudopsec/opsec/audit/translog/subject"
)

// flat lists all that an event says.
func flat(e *opsec.Event) []string {
	list := []string{
		string(e.ID), e.Time.String(), string(e.Tenant), string(e.Class), string(e.Category), e.Action, string(e.Outcome),
		e.System, string(e.Intent), e.Reason, string(e.Resource.Tenant), e.Resource.Type, e.Resource.ID, fmt.Sprint(e.OnBehalfOf != nil),
	}
	actors := []opsec.Actor{e.Actor, {}}
	if e.OnBehalfOf != nil {
		actors[1] = *e.OnBehalfOf
	}
	for _, a := range actors {
		list = append(list, string(a.Tenant), a.Account, a.Person, string(a.Kind), a.Session, a.Terminal)
		if a.IP.IsValid() {
			list = append(list, fmt.Sprintf("%#v", a.IP))
		} else {
			list = append(list, "")
		}
	}
	if e.Began.IsZero() {
		list = append(list, "")
	} else {
		list = append(list, e.Began.String())
	}
	for _, a := range e.Attrs {
		list = append(list, a.Key, a.Value, string(a.Mark))
	}
	for _, lists := range [][]string{e.Granted, e.Cancelled} {
		if slices.Equal(lists, []string{"[tenant]"}) || slices.Equal(lists, []string{"[erased]"}) {
			list = append(list, "[tenant]")
		} else {
			list = append(list, fmt.Sprintf("%q", lists))
		}
	}
	return list
}

// honest fails if got says something other than e, apart from what it does not say.
func honest(t require.TestingT, e, got *opsec.Event) {
	is, said := flat(e), flat(got)
	require.Equal(t, len(is), len(said))
	for i := range is {
		hidden := said[i] == "" || said[i] == "[tenant]" || said[i] == "[personal]" || said[i] == "[erased]" ||
			said[i] == "[digest]" || said[i] == "[public]" || said[i] == "[omitted]"
		require.True(t, said[i] == is[i] || hidden, "%q became %q", is[i], said[i])
	}
}

func TestEvidenceOfAnySelectionProvesIt(t *testing.T) {
	keys := subject.Memory()
	defer keys.Close()
	s := &entry.Scribe{Keys: keys}
	rapid.Check(t, func(t *rapid.T) {
		e := anyEvent().Draw(t, "event")
		e.Reason = "a text that stands nowhere else"
		leaf, body := write(t, s, e)
		shown := map[string]bool{}
		got, evidence := read(t, keys, leaf, body, func(f entry.Field) bool {
			yes := rapid.Bool().Draw(t, f.Name)
			shown[f.Name] = yes
			return yes
		})
		honest(t, e, got)
		require.Equal(t, shown["reason"], got.Reason == e.Reason)
		require.Equal(t, shown["reason"], bytes.Contains(evidence, []byte(e.Reason)), "evidence shows what was asked for alone")
	})
}

func TestChangedEvidenceProvesNothingElse(t *testing.T) {
	keys := subject.Memory()
	defer keys.Close()
	s := &entry.Scribe{Keys: keys}
	refused := 0
	rapid.Check(t, func(t *rapid.T) {
		e, other := anyEvent().Draw(t, "event"), anyEvent().Draw(t, "other")
		leaf, body := write(t, s, e)
		_, evidence := read(t, keys, leaf, body, func(f entry.Field) bool { return rapid.IntRange(0, 3).Draw(t, f.Name) > 0 })
		otherLeaf, otherBody := write(t, s, other)
		_, foreign := read(t, keys, otherLeaf, otherBody, everything)

		at := func(b []byte, name string) int { return rapid.IntRange(0, len(b)).Draw(t, name) }
		part := func(b []byte) []byte {
			from := at(b, "part from")
			return b[from:min(len(b), from+rapid.IntRange(1, 60).Draw(t, "part length"))]
		}
		changed := slices.Clone(evidence)
		for range rapid.IntRange(1, 2).Draw(t, "changes") {
			i := at(changed, "at")
			switch rapid.IntRange(0, 5).Draw(t, "change") {
			case 0:
				if i < len(changed) {
					changed[i] ^= byte(1 << rapid.IntRange(0, 7).Draw(t, "bit"))
				}
			case 1:
				changed = slices.Delete(changed, i, min(len(changed), i+rapid.IntRange(1, 60).Draw(t, "cut")))
			case 2:
				changed = slices.Insert(changed, i, part(evidence)...)
			case 3:
				changed = slices.Insert(changed, i, part(foreign)...)
			case 4:
				copy(changed[i:], part(evidence))
			case 5:
				changed = changed[:i]
			}
		}
		if bytes.Equal(changed, evidence) {
			return
		}
		got, err := entry.VerifyEvidence(leaf, changed)
		if err != nil {
			require.True(t, errors.Is(err, entry.ErrMismatch) || errors.Is(err, opsec.ErrInvalid), "%v", err)
			refused++
			return
		}
		honest(t, e, got)
	})
	require.NotZero(t, refused)
}

// TestNoByteOfEvidenceMayChange: what can be changed is only whether a group that is not shown counts as erased.
func TestNoByteOfEvidenceMayChange(t *testing.T) {
	keys := subject.Memory()
	defer keys.Close()
	e, _ := full()
	leaf, body := write(t, &entry.Scribe{Keys: keys}, e)
	_, evidence := read(t, keys, leaf, body, func(f entry.Field) bool {
		return f.Group == entry.GroupTenant || f.Name == "actor.account"
	})
	claims := 0
	for i := range evidence {
		for bit := range 8 {
			changed := slices.Clone(evidence)
			changed[i] ^= 1 << bit
			if got, err := entry.VerifyEvidence(leaf, changed); err == nil {
				claims++
				require.Equal(t, "[erased]", got.OnBehalfOf.Account)
			}
		}
	}
	require.Equal(t, 1, claims)
	for i := range evidence {
		_, err := entry.VerifyEvidence(leaf, evidence[:i])
		require.Error(t, err)
	}
	_, err := entry.VerifyEvidence(leaf, append(evidence, 0))
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = entry.VerifyEvidence(leaf, make([]byte, 2<<20))
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

// TestAddressStaysBack: the tenant's part and the account are shown, the address is not.
func TestAddressStaysBack(t *testing.T) {
	keys := subject.Memory()
	defer keys.Close()
	e := attach()
	leaf, body := write(t, &entry.Scribe{Keys: keys}, e)
	got, evidence := read(t, keys, leaf, body, func(f entry.Field) bool {
		return f.Group == entry.GroupTenant || f.Name == "actor.account"
	})
	require.Equal(t, "j.doe", got.Actor.Account)
	require.Equal(t, opsec.TenantID("acme"), got.Tenant)
	require.Equal(t, "[personal]", got.Actor.Person)
	require.Zero(t, got.Actor.IP)
	raw := e.Actor.IP.As16()
	require.False(t, bytes.Contains(evidence, raw[:]))
}

func TestOpenRefusesWhatTheLeafDoesNotName(t *testing.T) {
	keys := subject.Memory()
	defer keys.Close()
	s := &entry.Scribe{Keys: keys}
	leaf, body := write(t, s, attach())
	l, err := entry.Parse(leaf)
	require.NoError(t, err)

	for i := range body {
		changed := slices.Clone(body)
		changed[i] ^= 1
		b, err := entry.ParseBody(changed)
		if err != nil {
			require.ErrorIs(t, err, opsec.ErrInvalid)
			continue
		}
		require.ErrorIs(t, b.Verify(l.Body), entry.ErrMismatch)
		_, _, err = entry.Open(t.Context(), keys, l, b, everything)
		require.ErrorIs(t, err, entry.ErrMismatch, "byte %d", i)
	}

	epoch, err := entry.Parse([]byte(sampleEpoch))
	require.NoError(t, err)
	b, err := entry.ParseBody(body)
	require.NoError(t, err)
	_, _, err = entry.Open(t.Context(), keys, epoch, b, everything)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = entry.VerifyEvidence([]byte(sampleEpoch), nil)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = entry.VerifyEvidence(nil, nil)
	require.ErrorIs(t, err, opsec.ErrInvalid)

	elsewhere := subject.Memory()
	defer elsewhere.Close()
	_, _, err = entry.Open(t.Context(), elsewhere, l, b, everything)
	require.ErrorIs(t, err, opsec.ErrNotFound, "a key that is missing is not an erased one")
	_, _, err = entry.Open(t.Context(), elsewhere, l, b, nil)
	require.NoError(t, err, "who asks for nothing needs no key")
}

// TestSealedValuesStayInTheirPlace: whoever may write bodies and leaves anew, but has no keys, cannot show the values of
// one event as those of another, or what is said of the actor as said of whom it acts for.
func TestSealedValuesStayInTheirPlace(t *testing.T) {
	keys := subject.Memory()
	defer keys.Close()
	s := &entry.Scribe{Keys: keys}
	e := attach()
	e.OnBehalfOf = &opsec.Actor{
		Account: e.Actor.Account, Person: e.Actor.Person, Session: "s-000000", Terminal: "laptop-0000",
		IP: netip.MustParseAddr("2001:db8::18"),
	}
	e.Attrs = nil
	leaf, body := write(t, s, e)
	l, err := entry.Parse(leaf)
	require.NoError(t, err)
	open := func(l entry.Leaf, body []byte) error {
		b, err := entry.ParseBody(body)
		require.NoError(t, err)
		require.NoError(t, b.Verify(l.Body))
		_, _, err = entry.Open(context.Background(), keys, l, b, everything)
		return err
	}
	require.NoError(t, open(l, body))

	other := l
	other.ID[15]++
	require.Error(t, open(other, body), "another event")

	b, err := entry.ParseBody(body)
	require.NoError(t, err)
	who := b.Subjects()
	require.Equal(t, who[1], who[2])
	// Kind, handle, commitment, length, sum, five fields: exchange all that stands between handle and fields.
	first := bytes.Index(body, append([]byte{byte(entry.GroupActor)}, who[1][:]...))
	second := bytes.Index(body, append([]byte{byte(entry.GroupOnBehalf)}, who[1][:]...))
	const from, to = 1 + 16, 1 + 16 + 32 + 2 + 32
	end := second + to + 1 + 5
	size := int(body[first+from+32]&0x7f) + int(body[first+from+33])<<7
	require.Equal(t, body[first+from+32:first+from+34], body[second+from+32:second+from+34], "blobs of one length")
	swapped := slices.Clone(body)
	copy(swapped[first+from:first+to], body[second+from:second+to])
	copy(swapped[second+from:second+to], body[first+from:first+to])
	copy(swapped[len(body)-2*size:], body[len(body)-size:])
	copy(swapped[len(body)-size:], body[len(body)-2*size:len(body)-size])
	l.Body = sha256.Sum256(swapped[:end])
	require.Error(t, open(l, swapped), "another group")
}

func TestBodiesOfOtherFormsAreRefused(t *testing.T) {
	keys := subject.Memory()
	defer keys.Close()
	e, _ := full()
	_, body := write(t, &entry.Scribe{Keys: keys}, e)
	for i := range body {
		_, err := entry.ParseBody(body[:i])
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
	_, err := entry.ParseBody(append(slices.Clone(body), 0))
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = entry.ParseBody(make([]byte, entry.MaxBody+1))
	require.ErrorIs(t, err, opsec.ErrInvalid)

	const h16 = "0123456789abcdef"
	group := func(kind byte, fields string) string {
		return string(kind) + h16 + h16 + h16 + "\x00" + fields
	}
	tenant := group(1, "\x01\x01")
	attr := func(pos byte, mark byte, key string) string {
		return " " + string([]byte{pos, mark, byte(len(key))}) + key
	}
	for name, text := range map[string]string{
		"no groups":              "\xb1\x00\x00\x00",
		"version":                "\xb2\x00\x00\x01" + tenant,
		"flags":                  "\xb1\x02\x00\x01" + tenant,
		"term of a subject":      "\xb1\x00\x01\x01" + h16 + "\x01" + tenant,
		"unknown term":           "\xb1\x00\x01\x06" + h16 + "\x01" + tenant,
		"terms out of order":     "\xb1\x00\x02\x05" + h16 + "\x04" + h16 + "\x01" + tenant,
		"three terms":            "\xb1\x00\x03\x04" + h16 + "\x05" + h16 + "\x05" + h16 + "\x01" + tenant,
		"no tenant":              "\xb1\x00\x00\x01" + group(2, "\x01\x10"),
		"tenant without its id":  "\xb1\x00\x00\x01" + group(1, "\x01\x02"),
		"group of no kind":       "\xb1\x00\x00\x02" + tenant + group(5, "\x01 \x00\x00\x01k"),
		"two actors":             "\xb1\x00\x00\x03" + tenant + group(2, "\x01\x10") + group(2, "\x01\x11"),
		"groups out of order":    "\xb1\x01\x00\x03" + tenant + group(3, "\x01\x10") + group(2, "\x01\x10"),
		"on behalf of nobody":    "\xb1\x00\x00\x02" + tenant + group(3, "\x01\x10"),
		"no fields":              "\xb1\x00\x00\x02" + tenant + group(2, "\x00"),
		"field twice":            "\xb1\x00\x00\x01" + group(1, "\x02\x01\x01"),
		"fields out of order":    "\xb1\x00\x00\x01" + group(1, "\x03\x01\x03\x02"),
		"field of an actor":      "\xb1\x00\x00\x01" + group(1, "\x02\x01\x10"),
		"field of a tenant":      "\xb1\x00\x00\x02" + tenant + group(2, "\x01\x02"),
		"field of nobody":        "\xb1\x00\x00\x02" + tenant + group(4, "\x01\x10"),
		"attribute without key":  "\xb1\x00\x00\x01" + group(1, "\x02\x01"+attr(0, 1, "")),
		"attribute of no mark":   "\xb1\x00\x00\x01" + group(1, "\x02\x01"+attr(0, 6, "k")),
		"attribute 64":           "\xb1\x00\x00\x01" + group(1, "\x02\x01"+attr(64, 1, "k")),
		"place taken":            "\xb1\x00\x00\x01" + group(1, "\x03\x01"+attr(0, 1, "k")+attr(0, 1, "l")),
		"place taken by another": "\xb1\x00\x00\x02" + group(1, "\x02\x01"+attr(0, 1, "k")) + group(2, "\x01"+attr(0, 1, "k")),
		"attributes turned":      "\xb1\x00\x00\x01" + group(1, "\x03\x01"+attr(1, 1, "k")+attr(0, 1, "l")),
		"number with zeros":      "\xb1\x00\x00\x81\x00" + tenant,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := entry.ParseBody([]byte(text))
			require.ErrorIs(t, err, opsec.ErrInvalid)
		})
	}
	_, err = entry.ParseBody([]byte("\xb1\x01\x01\x04" + h16 + "\x04" + group(1, "\x02\x01"+attr(1, 1, "k")) +
		group(2, "\x01\x10") + group(3, "\x01\x14") + group(4, "\x01"+attr(0, 0, "k"))))
	require.NoError(t, err, "all that is wrong above is right here")
}

// TestAttributesThatDoNotFitTogether: a skeleton and a leaf each well-formed, the one with an attribute behind the end.
func TestAttributesThatDoNotFitTogether(t *testing.T) {
	keys := subject.Memory()
	defer keys.Close()
	e := attach()
	e.Attrs = []opsec.Attr{{Key: "a", Mark: opsec.Public}, {Key: "b", Mark: opsec.Tenant}}
	leaf, body := write(t, &entry.Scribe{Keys: keys}, e)
	_, evidence := read(t, keys, leaf, body, everything)
	without := strings.Replace(string(leaf), `"attrs":[["a",""]],`, "", 1)
	require.NotEqual(t, string(leaf), without)
	_, err := entry.VerifyEvidence([]byte(without), evidence)
	require.ErrorIs(t, err, opsec.ErrInvalid)

	l, err := entry.Parse(leaf)
	require.NoError(t, err)
	l.Attrs = slices.Repeat(l.Attrs, 64)
	full, err := l.Append(nil)
	require.NoError(t, err)
	_, err = entry.VerifyEvidence(full, evidence)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

// TestEvidenceHasOneForm: what says the same in other words is refused.
func TestEvidenceHasOneForm(t *testing.T) {
	keys := subject.Memory()
	defer keys.Close()
	e := opsec.NewEvent("backup.verify", attach().Time)
	e.Outcome = opsec.Success
	leaf, body := write(t, &entry.Scribe{Keys: keys}, e)
	_, evidence := read(t, keys, leaf, body, everything)
	const origin = "\x09@provider\x00\x00\x00\x00" // the tenant, and no actors
	at := len(evidence) - len(origin) - 16 - 2     // form, length, salt, value
	require.Equal(t, []byte{1, byte(len(origin))}, evidence[at:at+2])
	digest := sha256.Sum256(append([]byte{0xd1}, evidence[at+2:]...))
	_, err := entry.VerifyEvidence(leaf, append(append(evidence[:at:at], 0), digest[:]...))
	require.ErrorIs(t, err, opsec.ErrInvalid, "a group of digests alone is one that is withheld")

	omitted, body := write(t, &entry.Scribe{Keys: keys, OmitValues: true}, e)
	_, evidence = read(t, keys, omitted, body, everything)
	require.Zero(t, evidence[len(evidence)-1])
	evidence[len(evidence)-1] = 1
	_, err = entry.VerifyEvidence(omitted, evidence)
	require.ErrorIs(t, err, opsec.ErrInvalid, "what is not kept cannot be erased")

	l, err := entry.Parse(omitted)
	require.NoError(t, err)
	longer := append(slices.Clone(body), 0)
	l.Body = sha256.Sum256(longer)
	written, err := l.Append(nil)
	require.NoError(t, err)
	_, err = entry.VerifyEvidence(written, append(append([]byte{0xe1, byte(len(longer))}, longer...), 0))
	require.ErrorIs(t, err, opsec.ErrInvalid, "a skeleton ends")
}

// TestValuesThatNoScribeWrites: leaf, skeleton, commitments and evidence agree, but a value is none of its field.
func TestValuesThatNoScribeWrites(t *testing.T) {
	const origin = "\x04acme\x00\x00\x00\x00"
	prove := func(flags byte, kind byte, fields ...string) error { // code and value each
		skeleton, shown := []byte{0xb1, flags, 0, 2}, []byte(nil)
		add := func(kind byte, fields ...string) {
			digests, codes := []byte{0xc1}, []byte(nil)
			shown = append(shown, 2)
			for _, f := range fields {
				disclosure := append(make([]byte, 16), f[1:]...)
				digest := sha256.Sum256(append([]byte{0xd1}, disclosure...))
				digests, codes = append(digests, digest[:]...), append(codes, f[0])
				shown = append(append(shown, 1, byte(len(f)-1)), disclosure...)
			}
			commitment := sha256.Sum256(digests)
			skeleton = append(append(append(skeleton, kind), make([]byte, 16)...), commitment[:]...)
			skeleton = append(append(skeleton, 0, byte(len(fields))), codes...)
		}
		if kind == 1 {
			skeleton[3] = 1
			add(1, fields...)
		} else {
			add(1, "\x01"+origin)
			add(kind, fields...)
		}
		l, err := entry.Parse([]byte(sample))
		require.NoError(t, err)
		l.Body = sha256.Sum256(skeleton)
		leaf, err := l.Append(nil)
		require.NoError(t, err)
		evidence := append(append([]byte{0xe1, byte(len(skeleton)) | 0x80, byte(len(skeleton) >> 7)}, skeleton...), shown...)
		if len(skeleton) < 0x80 {
			evidence = append(append([]byte{0xe1, byte(len(skeleton))}, skeleton...), shown...)
		}
		_, err = entry.VerifyEvidence(leaf, evidence)
		return err
	}
	require.NoError(t, prove(0, 1, "\x01"+origin, "\x02s", "\x03\x00\x00\x01i", "\x04\x00", "\x06"+strings.Repeat("\x00", 12), "\x08r"))
	require.NoError(t, prove(1, 3, "\x10a", "\x13\x7f\x00\x00\x01"))
	for name, err := range map[string]error{
		"four parts":         prove(0, 1, "\x01\x04acme\x00\x00\x00"),
		"six parts":          prove(0, 1, "\x01\x04acme\x00\x00\x00\x00\x00"),
		"kind of nobody":     prove(0, 1, "\x01\x04acme\x00\x00\x00\x01k"),
		"part too long":      prove(0, 1, "\x01\x04acme\x00\x00\x00\x01"),
		"no system":          prove(0, 1, "\x01"+origin, "\x02"),
		"two parts":          prove(0, 1, "\x01"+origin, "\x03\x00\x00"),
		"nothing granted":    prove(0, 1, "\x01"+origin, "\x04"),
		"65 granted":         prove(0, 1, "\x01"+origin, "\x04"+strings.Repeat("\x00", 65)),
		"11 bytes of time":   prove(0, 1, "\x01"+origin, "\x06"+strings.Repeat("\x00", 11)),
		"time of year 10000": prove(0, 1, "\x01"+origin, "\x06\x00\x00\x01"+strings.Repeat("\x00", 9)),
		"empty account":      prove(0, 2, "\x10"),
		"empty address":      prove(0, 2, "\x13"),
		"odd address":        prove(0, 2, "\x13abcde"),
	} {
		require.ErrorIs(t, err, opsec.ErrInvalid, name)
	}
}

// FuzzBody: nothing makes ParseBody, Verify, Open or VerifyEvidence fall over.
func FuzzBody(f *testing.F) {
	keys := subject.Memory()
	f.Cleanup(func() { keys.Close() })
	e, _ := full()
	leaf, body := write(f, &entry.Scribe{Keys: keys}, e)
	_, evidence := read(f, keys, leaf, body, func(f entry.Field) bool { return f.Name != "actor.ip" })
	l, err := entry.Parse(leaf)
	require.NoError(f, err)
	f.Add(body)
	f.Add(evidence)
	f.Fuzz(func(t *testing.T, text []byte) {
		if got, err := entry.VerifyEvidence(leaf, text); err == nil {
			require.Equal(t, l.EventID(), got.ID)
		}
		b, err := entry.ParseBody(text)
		if err != nil {
			require.ErrorIs(t, err, opsec.ErrInvalid)
			return
		}
		l := l
		l.Body = tlog.Hash(sha256.Sum256(text)) // the skeleton, when there are no blobs
		if b.Verify(l.Body) == nil {
			got, evidence, err := entry.Open(t.Context(), keys, l, b, everything)
			if err == nil {
				written, err := l.Append(nil)
				require.NoError(t, err)
				again, err := entry.VerifyEvidence(written, evidence)
				require.NoError(t, err)
				require.Equal(t, got, again)
			}
		}
	})
}
