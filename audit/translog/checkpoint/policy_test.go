package checkpoint_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog/checkpoint"
)

// logLine and witnessLine are lines of a policy.
func logLine(t testing.TB, name string) string {
	return "log " + logSigner(t, name).VerifierKey()
}

func witnessLine(t testing.TB, as string) string {
	return "witness " + as + " " + cosigner(t, as, noon).VerifierKey()
}

func TestPolicyIsReadAsWritten(t *testing.T) {
	text := strings.Join([]string{
		"# whom we trust", "",
		" \t" + logLine(t, origin) + "  https://audit.example/eu-1\t",
		witnessLine(t, "X1") + " https://x1.example/submit",
		witnessLine(t, "X2"), witnessLine(t, "X3"),
		"group X 2 X1 X2 X3",
		witnessLine(t, "Y1"), strings.Replace(witnessLine(t, "Y2"), " Y2 ", " \xff\xfe ", 1), "   # opaque octets make a name",
		"group Y any Y1 \xff\xfe",
		"group both all X Y",
		"quorum both", "",
	}, "\n")
	p, err := checkpoint.ParsePolicy(text)
	require.NoError(t, err)
	require.NoError(t, p.Validate())
	require.Equal(t, []checkpoint.Log{{Key: logSigner(t, origin).VerifierKey(), URL: "https://audit.example/eu-1"}}, p.Logs)
	require.Len(t, p.Witnesses, 5)
	require.Equal(t, "https://x1.example/submit", p.Witnesses[0].URL)
	require.Equal(t, []checkpoint.Group{
		{Name: "X", Need: 2, Members: []string{"X1", "X2", "X3"}},
		{Name: "Y", Need: 1, Members: []string{"Y1", "\xff\xfe"}},
		{Name: "both", Need: 0, Members: []string{"X", "Y"}},
	}, p.Groups)
	require.Equal(t, "both", p.Quorum)

	back, err := checkpoint.ParsePolicy(p.String())
	require.NoError(t, err)
	require.Equal(t, p, back)
	require.Equal(t, p.String(), back.String())
}

func TestPolicyIsData(t *testing.T) {
	p := policy(t, "a b", "group g any a b", "quorum g")
	raw, err := json.Marshal(struct{ Witnessing checkpoint.Policy }{p})
	require.NoError(t, err)
	var back struct{ Witnessing checkpoint.Policy }
	require.NoError(t, json.Unmarshal(raw, &back))
	require.Equal(t, p, back.Witnessing)

	kept := back.Witnessing
	require.ErrorIs(t, json.Unmarshal([]byte(`{"Witnessing":"quorum x\n"}`), &back), opsec.ErrInvalid)
	require.Equal(t, kept, back.Witnessing, "what is invalid changes nothing")

	for name, bad := range map[string]checkpoint.Policy{
		"line in a URL":  {Logs: []checkpoint.Log{{Key: p.Logs[0].Key, URL: "https://a\nquorum"}}, Quorum: "none"},
		"space in a URL": {Logs: []checkpoint.Log{{Key: p.Logs[0].Key, URL: "https://a b"}}, Quorum: "none"},
		"space in name":  {Logs: p.Logs, Witnesses: []checkpoint.Witness{{Name: "a b", Key: p.Witnesses[0].Key}}, Quorum: "none"},
		"no name":        {Logs: p.Logs, Witnesses: []checkpoint.Witness{{Key: p.Witnesses[0].Key}}, Quorum: "none"},
		"long name":      {Logs: p.Logs, Witnesses: []checkpoint.Witness{{Name: strings.Repeat("n", 1025), Key: p.Witnesses[0].Key}}, Quorum: "none"},
		"need below 0":   {Logs: p.Logs, Witnesses: p.Witnesses, Groups: []checkpoint.Group{{Name: "g", Need: -1, Members: []string{"a"}}}, Quorum: "none"},
		"need too many":  {Logs: p.Logs, Witnesses: p.Witnesses, Groups: []checkpoint.Group{{Name: "g", Need: 2, Members: []string{"a"}}}, Quorum: "none"},
		"no members":     {Logs: p.Logs, Groups: []checkpoint.Group{{Name: "g"}}, Quorum: "g"},
		"itself":         {Logs: p.Logs, Groups: []checkpoint.Group{{Name: "g", Members: []string{"g"}}}, Quorum: "g"},
		"no quorum":      {Logs: p.Logs},
	} {
		_, err := bad.MarshalText()
		require.ErrorIs(t, err, opsec.ErrInvalid, name)
		require.ErrorIs(t, bad.Validate(), opsec.ErrInvalid, name)
	}
}

func TestZeroPolicyTrustsNobody(t *testing.T) {
	var p checkpoint.Policy
	require.ErrorIs(t, p.Validate(), opsec.ErrInvalid)
	_, err := p.Open(growTree(t, 1, "").signed(t, 1), noon)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = checkpoint.NewGatherer(p, nil)
	require.ErrorIs(t, err, opsec.ErrInvalid)

	p, err = checkpoint.ParsePolicy("quorum none\n")
	require.NoError(t, err, "C2SP allows a file of witnesses alone")
	_, err = p.Open(growTree(t, 1, "").signed(t, 1), noon)
	require.ErrorContains(t, err, "no log", "but it opens nothing")
	_, err = p.MarshalText()
	require.NoError(t, err)
}

func TestPolicyRefusesWhatTheSpecificationRefuses(t *testing.T) {
	log, a, b := logLine(t, origin), witnessLine(t, "a"), witnessLine(t, "b")
	renamed, err := checkpoint.NewCosigner("witness.example/another", private("witness a"), nil)
	require.NoError(t, err)
	logTwice, err := checkpoint.NewSigner("audit.example/another", private("log "+origin))
	require.NoError(t, err)
	both, err := checkpoint.NewCosigner(origin, private("log "+origin), nil)
	require.NoError(t, err)

	for name, lines := range map[string][]string{
		"no quorum":                  {log, a},
		"two quorums":                {log, a, "quorum a", "quorum a"},
		"two quorums, none":          {log, "quorum none", "quorum none"},
		"quorum before its witness":  {log, "quorum a", a},
		"quorum of nobody":           {log, a, "quorum c"},
		"quorum of two":              {log, a, b, "quorum a b"},
		"quorum without a name":      {log, a, "quorum"},
		"unknown word":               {log, a, "quorums a", "quorum a"},
		"word in capitals":           {log, a, "QUORUM a"},
		"log without a key":          {"log", "quorum none"},
		"log with three":             {log + " url more", "quorum none"},
		"log with a witness's key":   {"log " + cosigner(t, "a", noon).VerifierKey(), "quorum none"},
		"witness with a log's key":   {log, "witness a " + logSigner(t, "w").VerifierKey(), "quorum a"},
		"witness without a key":      {log, "witness a", "quorum none"},
		"witness with four":          {log, a + " url more", "quorum a"},
		"witness none":               {log, strings.Replace(a, " a ", " none ", 1), "quorum none"},
		"group none":                 {log, a, "group none any a", "quorum a"},
		"group without members":      {log, a, "group g any", "quorum a"},
		"group of nobody":            {log, a, "group g any c", "quorum g"},
		"group of none":              {log, a, "group g any none", "quorum g"},
		"group of itself":            {log, a, "group g any g", "quorum g"},
		"group before its witness":   {log, "group g any a", a, "quorum g"},
		"group of a witness twice":   {log, a, "group g any a a", "quorum g"},
		"witness in two groups":      {log, a, b, "group g any a", "group h all a b", "quorum h"},
		"name of a witness again":    {log, a, strings.Replace(b, " b ", " a ", 1), "quorum a"},
		"name of a witness, group":   {log, a, b, "group a any b", "quorum a"},
		"name of a group again":      {log, a, b, "group g any a", "group g any b", "quorum g"},
		"need 0":                     {log, a, "group g 0 a", "quorum g"},
		"need 2 of 1":                {log, a, "group g 2 a", "quorum g"},
		"need with a zero":           {log, a, "group g 01 a", "quorum g"},
		"need with a plus":           {log, a, "group g +1 a", "quorum g"},
		"need negative":              {log, a, "group g -1 a", "quorum g"},
		"need in words":              {log, a, "group g ALL a", "quorum g"},
		"log twice":                  {log, log, "quorum none"},
		"log twice, another name":    {log, "log " + logTwice.VerifierKey(), "quorum none"},
		"witness twice":              {log, a, strings.Replace(a, " a ", " c ", 1), "quorum a"},
		"witness twice, other names": {log, a, "witness c " + renamed.VerifierKey(), "quorum a"},
		"log is its own witness":     {log, "witness self " + both.VerifierKey(), "quorum self"},
		"carriage return":            {log + "\r", "quorum none"},
		"NUL":                        {log, "# \x00", "quorum none"},
		"DEL":                        {log, "# \x7f", "quorum none"},
		"no-break space as space":    {log, a, "quorum\u00a0a"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := checkpoint.ParsePolicy(strings.Join(lines, "\n") + "\n")
			require.ErrorIs(t, err, opsec.ErrInvalid)
			require.Zero(t, p)
		})
	}
	for _, text := range []string{"", "\n", log + "\nquorum none", "# " + strings.Repeat("x", 256<<10) + "\nquorum none\n"} {
		_, err := checkpoint.ParsePolicy(text)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
	_, err = checkpoint.ParsePolicy(log + "\n\nquorum nobody\n")
	require.ErrorContains(t, err, "line 3")
}

// vkeyOf writes the verifier key of any 32 bytes.
func vkeyOf(name string, kind byte, public [32]byte) string {
	raw := append([]byte{kind}, public[:]...)
	id := sha256.Sum256(append([]byte(name+"\n"), raw...))
	return fmt.Sprintf("%s+%x+%s", name, id[:4], base64.StdEncoding.EncodeToString(raw))
}

// TestTwoKeysOfOneIDAreRefused makes keys that a signature line could not tell apart; 32 bits are soon found twice.
func TestTwoKeysOfOneIDAreRefused(t *testing.T) {
	collide := func(one, two byte) (string, string) {
		seen := map[string]string{}
		for i := uint64(0); ; i++ {
			a, b := vkeyOf("k", one, sha256.Sum256(fmt.Append(nil, "one", i))), vkeyOf("k", two, sha256.Sum256(fmt.Append(nil, "two", i)))
			seen[a[:10]] = a
			if other, ok := seen[b[:10]]; ok && other != b {
				return other, b
			}
			if one == two {
				seen[b[:10]] = b
			}
		}
	}
	one, two := collide(1, 1)
	_, err := checkpoint.ParsePolicy("log " + one + "\nlog " + two + "\nquorum none\n")
	require.ErrorContains(t, err, "name and id of another")
	one, two = collide(4, 4)
	_, err = checkpoint.ParsePolicy("witness a " + one + "\nwitness b " + two + "\nquorum none\n")
	require.ErrorContains(t, err, "name and id of another")
	one, two = collide(1, 4)
	_, err = checkpoint.ParsePolicy("log " + one + "\nwitness b " + two + "\nquorum none\n")
	require.ErrorContains(t, err, "name and id of another")
}

func TestPolicyHoldsAsManyPartsAsItSays(t *testing.T) {
	with := func(logs, witnesses, groups int) error {
		var b strings.Builder
		for i := range logs {
			fmt.Fprintln(&b, logLine(t, fmt.Sprintf("log%d", i)))
		}
		for i := range witnesses {
			fmt.Fprintln(&b, witnessLine(t, fmt.Sprintf("w%d", i)))
		}
		for i := range groups {
			member := fmt.Sprintf("w%d", i)
			if i >= witnesses {
				member = fmt.Sprintf("g%d", i-witnesses)
			}
			fmt.Fprintf(&b, "group g%d all %s\n", i, member)
		}
		_, err := checkpoint.ParsePolicy(b.String() + "quorum none\n")
		return err
	}
	require.NoError(t, with(64, 64, 64))
	require.NoError(t, with(1, 32, 64))
	require.ErrorIs(t, with(65, 0, 0), opsec.ErrInvalid)
	require.ErrorIs(t, with(1, 65, 0), opsec.ErrInvalid)
	require.ErrorIs(t, with(1, 33, 65), opsec.ErrInvalid)
}

// TestQuorumIsWhatTheGroupsSay compares every subset of witnesses with the rule written out.
func TestQuorumIsWhatTheGroupsSay(t *testing.T) {
	names := []string{"X1", "X2", "X3", "Y1", "Y2", "Z"}
	signed := map[string]note.Signer{}
	for _, as := range names {
		signed[as] = cosigner(t, as, noon)
	}
	for rule, want := range map[string]func(x, y int, z bool) bool{
		"quorum none":                              func(x, y int, z bool) bool { return true },
		"quorum Z":                                 func(x, y int, z bool) bool { return z },
		"group X all X1 X2 X3\nquorum X":           func(x, y int, z bool) bool { return x == 3 },
		"group X any X1 X2 X3\nquorum X":           func(x, y int, z bool) bool { return x >= 1 },
		"group X 2 X1 X2 X3\nquorum X":             func(x, y int, z bool) bool { return x >= 2 },
		"group X 3 X1 X2 X3\nquorum X":             func(x, y int, z bool) bool { return x == 3 },
		"group X 1 X1 X2 X3\nquorum X":             func(x, y int, z bool) bool { return x >= 1 },
		"group all 4 X1 X2 X3 Y1 Y2 Z\nquorum all": func(x, y int, z bool) bool { n := x + y; return n >= 4 || n == 3 && z },
		"group X 2 X1 X2 X3\ngroup Y any Y1 Y2\ngroup W all X Y\nquorum W": func(x, y int, z bool) bool { return x >= 2 && y >= 1 },
		"group X 2 X1 X2 X3\ngroup Y all Y1 Y2\ngroup W any X Y\ngroup V all W Z\nquorum V": func(x, y int, z bool) bool {
			return (x >= 2 || y == 2) && z
		},
	} {
		p := policy(t, strings.Join(names, " "), strings.Split(rule, "\n")...)
		for set := range 1 << len(names) {
			var signers []note.Signer
			x, y, z := 0, 0, false
			var who []string
			for i, as := range names {
				if set&(1<<i) == 0 {
					continue
				}
				signers, who = append(signers, signed[as]), append(who, as)
				x, y, z = x+strings.Count(as, "X"), y+strings.Count(as, "Y"), z || as == "Z"
			}
			slices.Reverse(signers) // the order of lines means nothing
			v, err := p.Open(growTree(t, 1, "").signed(t, 1, signers...), noon)
			if want(x, y, z) {
				require.NoError(t, err, "%s: %v", rule, who)
			} else {
				var short *checkpoint.QuorumError
				require.ErrorAs(t, err, &short, "%s: %v", rule, who)
				require.Zero(t, v)
				v = short.Verified
			}
			require.EqualValues(t, 1, v.Size)
			var counted []string
			for _, c := range v.Cosigned {
				require.Equal(t, noon, c.Time)
				counted = append(counted, c.Name)
			}
			require.Equal(t, who, counted)
		}
	}
}

func TestPolicyTextIsTheInverseOfItself(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := checkpoint.Policy{Quorum: checkpoint.None}
		for i := range rapid.IntRange(0, 4).Draw(rt, "logs") {
			p.Logs = append(p.Logs, checkpoint.Log{Key: logSigner(t, fmt.Sprintf("log%d", i)).VerifierKey(), URL: rapid.SampledFrom([]string{"", "https://l"}).Draw(rt, "url")})
		}
		var free []string
		for i := range rapid.IntRange(0, 6).Draw(rt, "witnesses") {
			as := fmt.Sprintf("w%d", i)
			free = append(free, as)
			p.Witnesses = append(p.Witnesses, checkpoint.Witness{Name: as, Key: cosigner(t, as, noon).VerifierKey(), URL: rapid.SampledFrom([]string{"", "https://w"}).Draw(rt, "url")})
		}
		for i := 0; len(free) > 0 && rapid.Bool().Draw(rt, "group"); i++ {
			n := rapid.IntRange(1, len(free)).Draw(rt, "members")
			g := checkpoint.Group{Name: fmt.Sprintf("g%d", i), Need: rapid.IntRange(0, n).Draw(rt, "need"), Members: slices.Clone(free[:n])}
			p.Groups, free = append(p.Groups, g), append(free[n:], g.Name)
		}
		if len(free) > 0 {
			p.Quorum = free[len(free)-1]
		}
		text, err := p.MarshalText()
		require.NoError(rt, err)
		back, err := checkpoint.ParsePolicy(string(text))
		require.NoError(rt, err)
		require.Equal(rt, p, back)
	})
}

func FuzzParsePolicy(f *testing.F) {
	f.Add(policy(f, "a b c", "group g 2 a b c", "quorum g").String())
	f.Add("log " + noteKey + " https://x\nquorum none\n")
	f.Add("# x\n\t\nquorum none\n")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := checkpoint.ParsePolicy(text)
		if err != nil {
			require.ErrorIs(t, err, opsec.ErrInvalid)
			return
		}
		written, err := p.MarshalText()
		require.NoError(t, err)
		back, err := checkpoint.ParsePolicy(string(written))
		require.NoError(t, err)
		require.Equal(t, p, back)
	})
}
