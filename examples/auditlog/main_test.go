package main

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog"
)

// TestMain lets the test binary be the program, so that what go test has cached is of this program and no older one, and
// the race detector watches it.
func TestMain(m *testing.M) {
	if os.Getenv("AUDITLOG_TEST") == "be the program" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// command is the program with arguments.
func command(ctx context.Context, t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env = append(os.Environ(), "AUDITLOG_TEST=be the program", "GORACE=atexit_sleep_ms=0")
	return cmd
}

// place is a directory with a log, of which the first entries are events.
type place struct {
	*testing.T
	dir      string
	receipts []translog.Receipt
}

//go:embed events.jsonl
var examples string

// events are of two people of acme, and of one of globex.
var events = strings.Split(strings.TrimSpace(examples), "\n")

func newPlace(t *testing.T) *place {
	t.Parallel()
	p := &place{T: t, dir: t.TempDir()}
	p.run(0, "", "init")
	p.write("first", events[0])
	p.json(0, examples, &p.receipts, "append")
	require.Len(t, p.receipts, 3)
	return p
}

func (p *place) path(name string) string { return filepath.Join(p.dir, filepath.FromSlash(name)) }

func (p *place) write(name, text string) {
	p.Helper()
	require.NoError(p, os.WriteFile(p.path(name), []byte(text), 0o600))
}

func (p *place) read(name string) string {
	p.Helper()
	b, err := os.ReadFile(p.path(name))
	require.NoError(p, err)
	return string(b)
}

// run runs the program in the place, and wants an exit code.
func (p *place) run(code int, stdin string, args ...string) (stdout, stderr string) {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.Context(), time.Minute)
	defer cancel()
	cmd := command(ctx, p.T, args...)
	var out, problems strings.Builder
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = p.dir, strings.NewReader(stdin), &out, &problems
	if err := cmd.Run(); err != nil {
		require.IsType(p, new(exec.ExitError), err)
	}
	require.NoError(p, ctx.Err(), "%q hangs", args)
	require.Equal(p, code, cmd.ProcessState.ExitCode(), "exit code of %q\nstdout: %s\nstderr: %s", args, &out, &problems)
	if code == 2 {
		require.NotEmpty(p, problems.String(), "%q says what is wrong", args)
		require.NotContains(p, problems.String(), "panic", "%q", args)
	} else if args[len(args)-1] != "-h" {
		require.Empty(p, problems.String(), "standard error of %q", args)
	}
	return out.String(), problems.String()
}

// json runs the program with -json and reads the one document on standard output.
func (p *place) json(code int, stdin string, into any, args ...string) {
	p.Helper()
	stdout, _ := p.run(code, stdin, append(args, "-json")...)
	dec := json.NewDecoder(strings.NewReader(stdout))
	dec.DisallowUnknownFields()
	require.NoError(p, dec.Decode(into), stdout)
	_, err := dec.Token()
	require.ErrorIs(p, err, io.EOF, "one document and nothing else: %s", stdout)
}

// answer is the JSON of verify, as far as a consumer looks at it.
type answer struct {
	OK      bool
	Problem string
	Log     *struct {
		OK       bool
		Size     uint64
		Tenants  int
		Count    int
		Findings []finding
	}
	Proof *struct {
		Origin      string
		Size, Index uint64
		Leaf        string
		Event       *opsec.Event
	}
	Export *struct{ First, Events uint64 }
}

type finding struct{ Part, Path, What string }

// verify runs verify with the policy of the place.
func (p *place) verify(code int, args ...string) (a answer) {
	p.Helper()
	stdout, _ := p.run(code, "", append([]string{"verify", "-json", "-trust", "auditlog.keys/trust"}, args...)...)
	require.NoError(p, json.Unmarshal([]byte(stdout), &a), stdout)
	require.Equal(p, code == 0, a.OK)
	return a
}

func (p *place) query(args ...string) (list []translog.Entry) {
	p.Helper()
	p.json(0, "", &list, append([]string{"query"}, args...)...)
	return list
}

func TestQuerySelects(t *testing.T) {
	p := newPlace(t)
	for want, args := range map[string][]string{
		"0 1 2": {"-from", "2026-03-25T08:00:00Z", "-to", "2026-03-25T10:00:00.000000001Z"},
		"1 0":   {"-tenant", "acme", "-action", "console.login", "-action", "volume.delete", "-newest"},
		"0":     {"-tenant", "acme", "-account", "eve", "-action", "console.login"},
		"1":     {"-tenant", "acme", "-outcome", "denied", "-outcome", "failure"},
		"1 2":   {"-from", "2026-03-25T08:00:00.000000001Z", "-action", "volume.delete"},
		"0 1":   {"-to", "2026-03-25T10:00:00Z", "-action", "console.login", "-action", "volume.delete"},
		"":      {"-tenant", "globex", "-account", "eve"},
	} {
		var got []string
		for _, f := range p.query(args...) {
			got = append(got, strconv.FormatUint(f.Index, 10))
		}
		require.Equal(t, want, strings.Join(got, " "), args)
	}
	text, _ := p.run(0, "", "query", "-tenant", "acme", "-action", "console.login")
	require.Contains(t, text, `"terminal":"laptop-of-eve"`)
	require.Contains(t, text, "\n1 events\n")
}

func TestManyAreAppendedInTheirOrder(t *testing.T) {
	p := newPlace(t)
	var list []translog.Receipt
	p.json(0, strings.Repeat(events[2]+"\n", 1001), &list, "append")
	require.Len(t, list, 1001)
	for i, r := range list {
		require.EqualValues(t, i+2, r.Seq, "one of globex came before")
	}
}

func TestProfilesShowWhatTheyMay(t *testing.T) {
	p := newPlace(t)
	q := []string{"-tenant", "acme", "-action", "console.login", "-profile"}
	tenant, administrator, auditor := p.query(append(q, "tenant")...), p.query(append(q, "administrator")...), p.query(append(q, "auditor")...)
	require.Equal(t, "eve", tenant[0].Event.Actor.Account)
	require.Equal(t, p.receipts[0].Leaf, tenant[0].LeafHash)
	require.Equal(t, "[personal]", administrator[0].Event.Actor.Account)
	require.Empty(t, administrator[0].Actor)
	require.Equal(t, "[personal]", auditor[0].Event.Actor.Account)
	require.NotEmpty(t, auditor[0].Actor)
	reads := p.query("-tenant", "acme", "-action", "translog.read")
	require.Len(t, reads, 3, "who has read is on record")
	require.Equal(t, opsec.Provider, reads[0].Event.Actor.Tenant)
}

func TestProofOfALeaf(t *testing.T) {
	p := newPlace(t)
	p.run(0, "", "prove", "-index", "1")
	file, leaf := []string{"-proof", "1.tlog-proof"}, p.receipts[1].Leaf.String()
	require.NoError(t, os.RemoveAll(p.path("auditlog")))
	a := p.verify(0, append(file, "-leaf", leaf)...)
	require.EqualValues(t, 1, a.Proof.Index)
	require.Equal(t, leaf, a.Proof.Leaf)
	require.Equal(t, "auditlog.example/1", a.Proof.Origin)
	require.Nil(t, a.Proof.Event)
	require.Contains(t, p.verify(1, append(file, "-leaf", p.receipts[0].Leaf.String())...).Problem, "entry 1")
	p.run(2, "", append([]string{"verify", "-trust", "auditlog.keys/trust"}, file...)...)
	p.run(2, "", append([]string{"verify", "-trust", "auditlog.keys/trust", "-leaf", leaf, "-event", "first"}, file...)...)
	text, _ := p.run(0, "", append([]string{"verify", "-trust", "auditlog.keys/trust", "-leaf", leaf}, file...)...)
	require.Contains(t, text, "entry 1 of")
}

func TestProofThatShowsItsEvent(t *testing.T) {
	p := newPlace(t)
	p.run(0, "", "prove", "-index", "0", "-tenant", "acme", "-out", "proof")
	p.run(0, "", "prove", "-index", "0", "-tenant", "acme", "-out", "masked", "-profile", "administrator")
	p.run(2, "", "prove", "-index", "0", "-tenant", "globex", "-out", "other")
	require.NoFileExists(t, p.path("other"))
	require.Equal(t, "laptop-of-eve", p.verify(0, "-proof", "proof").Proof.Event.Actor.Terminal)
	require.Equal(t, "[personal]", p.verify(0, "-proof", "masked").Proof.Event.Actor.Terminal)
	p.verify(0, "-proof", "proof", "-event", "first", "-leaf", p.receipts[0].Leaf.String())
	p.verify(1, "-proof", "proof", "-leaf", p.receipts[1].Leaf.String())
	p.write("changed", strings.Replace(events[0], "192.0.2.7", "192.0.2.8", 1))
	require.Contains(t, p.verify(1, "-proof", "proof", "-event", "changed").Problem, "another event")
	text, _ := p.run(0, "", "verify", "-trust", "auditlog.keys/trust", "-proof", "proof")
	require.Contains(t, text, "192.0.2.7")

	proof := p.read("proof")
	for _, at := range []int{3, len("c2sp.org/tlog-proof@v1\nextra ") + 40, strings.Index(proof, "index ") + 6, len(proof) - 9} {
		b := []byte(proof)
		b[at] ^= 1
		p.write("bad", string(b))
		require.NotEmpty(t, p.verify(1, "-proof", "bad").Problem, "byte %d", at)
	}
}

func TestExportVerifiesElsewhere(t *testing.T) {
	p := newPlace(t)
	for _, form := range []string{"json", "ocsf", "syslog"} {
		p.run(0, "", "export", "-tenant", "acme", "-form", form, "-out", form)
	}
	p.run(0, "", "export", "-tenant", "globex")
	require.NoError(t, os.RemoveAll(p.path("auditlog")))
	for i, form := range []string{"json", "ocsf", "syslog"} {
		a := p.verify(0, "-export", form)
		require.EqualValues(t, 3+i, a.Export.Events, "two events, and the exports themselves")
		require.EqualValues(t, 1, a.Export.First)
		require.NotContains(t, p.read(form), "bob")
		lines := strings.SplitAfter(strings.TrimSuffix(p.read(form), "\n"), "\n")
		for missing := range lines {
			p.write("less", strings.Join(slices.Delete(slices.Clone(lines), missing, missing+1), ""))
			require.NotEmpty(t, p.verify(1, "-export", "less").Problem, "%s without line %d", form, missing+1)
		}
		p.write("altered", strings.ReplaceAll(p.read(form), "192.0.2.7", "192.0.2.8"))
		require.Contains(t, p.verify(1, "-export", "altered").Problem, "line 2")
	}
	lines := strings.SplitAfter(p.read("json"), "\n")
	p.write("pruned", strings.Join(slices.Delete(lines, 1, 2), ""))
	require.Contains(t, p.verify(1, "-export", "pruned").Problem, "begin with number 2")
	require.EqualValues(t, 2, p.verify(0, "-export", "pruned", "-first", "2").Export.First, "known to be pruned")
	text, _ := p.run(0, "", "verify", "-trust", "auditlog.keys/trust", "-export", "globex.export")
	_, after, found := strings.Cut(text, "2 events under the tag ")
	require.True(t, found, text)
	tag, after, _ := strings.Cut(after, ",")
	require.Contains(t, after, "from number 1 on")
	p.verify(0, "-export", "globex.export", "-tag", tag)
	require.Contains(t, p.verify(1, "-export", "json", "-tag", tag).Problem, "under the tag", "another tenant's")
}

func TestWhatIsTakenAwayIsFound(t *testing.T) {
	p := newPlace(t)
	for _, name := range []string{"tile", "tile/entries", "journal/00000000000000000000.seg"} {
		require.NoError(t, os.Rename(p.path("auditlog/"+name), p.path("away")))
		a := p.verify(1, "-dir", "auditlog")
		require.Positive(t, a.Log.Count, name)
		require.NoError(t, os.Rename(p.path("away"), p.path("auditlog/"+name)))
	}
	p.verify(0, "-dir", "auditlog")
}

func TestEveryDamagedFileIsFound(t *testing.T) {
	p := newPlace(t)
	p.run(0, "", "query")
	a := p.verify(0, "-dir", "auditlog")
	require.Zero(t, a.Log.Count)
	require.Equal(t, 3, a.Log.Tenants, "and the provider's")
	damaged := 0
	for _, name := range p.files("auditlog") {
		data := p.read(name)
		if data == "" || strings.HasSuffix(name, "/next.seg") || strings.HasSuffix(name, "/reserve") {
			continue
		}
		b := []byte(data)
		b[len(b)/3] ^= 0x10
		p.write(name, string(b))
		a := p.verify(1, "-dir", "auditlog")
		require.True(t, a.Problem != "" || a.Log.Count > 0, name)
		p.write(name, data)
		damaged++
	}
	require.Greater(t, damaged, 4)
	p.verify(0, "-dir", "auditlog")

	require.NoError(t, os.WriteFile(p.path("auditlog/tile/\x1b[31m"), nil, 0o600))
	text, _ := p.run(1, "", "verify", "-trust", "auditlog.keys/trust", "-dir", "auditlog")
	require.Contains(t, text, "1 findings")
	require.NotContains(t, text, "\x1b", "a name cannot steer the terminal")
}

func (p *place) files(dir string) (names []string) {
	p.Helper()
	require.NoError(p, fs.WalkDir(os.DirFS(p.dir), dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			names = append(names, name)
		}
		return err
	}))
	return names
}

func TestDirectoryPutBackIsNoticed(t *testing.T) {
	p := newPlace(t)
	require.NoError(t, os.CopyFS(p.path("old"), os.DirFS(p.path("auditlog"))))
	p.run(0, events[2], "append")
	p.verify(0, "-dir", "auditlog", "-noted", "auditlog.keys/noted")
	require.NoError(t, os.RemoveAll(p.path("auditlog")))
	_, problem := p.run(2, events[2], "append")
	require.Contains(t, problem, "tampered")
	require.NoError(t, os.RemoveAll(p.path("auditlog")))
	require.NoError(t, os.Rename(p.path("old"), p.path("auditlog")))
	_, problem = p.run(2, events[2], "append")
	require.Contains(t, problem, "tampered")
	p.verify(0, "-dir", "auditlog") // by itself it is a good log
	require.Equal(t, "rollback", p.verify(1, "-dir", "auditlog", "-noted", "auditlog.keys/noted").Log.Findings[0].Part)
}

func TestEraseForgetsAPersonAndKeepsProofs(t *testing.T) {
	p := newPlace(t)
	p.run(0, "", "prove", "-index", "0", "-tenant", "acme", "-out", "before")
	var r struct{ Erased []string }
	p.json(0, "", &r, "erase", "-tenant", "acme", "-account", "eve", "-reason", "request 7")
	require.Len(t, r.Erased, 1)
	p.json(0, "", &r, "erase", "-tenant", "acme", "-person", "p-1")
	require.Empty(t, r.Erased, "all is forgotten already")
	e := p.query("-tenant", "acme", "-action", "console.login")[0].Event
	require.Equal(t, "[erased]", e.Actor.Account)
	require.Equal(t, "[erased]", e.Actor.Terminal)
	require.Equal(t, "mallory", p.query("-tenant", "acme", "-action", "volume.delete")[0].Event.Actor.Account)
	require.Equal(t, "request 7", p.query("-tenant", "acme", "-action", "translog.erase")[0].Event.Reason)
	for _, name := range append(p.files("auditlog"), p.files("auditlog.keys")...) {
		require.NotContains(t, p.read(name), "laptop-of-eve", name)
	}
	p.verify(0, "-dir", "auditlog")
	p.run(0, "", "export", "-tenant", "acme")
	p.verify(0, "-export", "acme.export")
	require.Equal(t, "eve", p.verify(0, "-proof", "before").Proof.Event.Actor.Account, "who had it keeps it")
}

func TestServe(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no interrupts here")
	}
	p := newPlace(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := command(ctx, t, "serve", "-addr", "127.0.0.1:0")
	cmd.Dir, cmd.Stderr = p.dir, os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	url := strings.TrimSpace(line)
	post := func(body string, header ...string) (status int, answer string) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/events", strings.NewReader(body))
		require.NoError(t, err)
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		req.Host = req.Header.Get("Host")
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, string(b)
	}
	status, body := post(events[1] + events[2])
	require.Equal(t, http.StatusOK, status, body)
	var list []translog.Receipt
	require.NoError(t, json.Unmarshal([]byte(body), &list))
	require.Len(t, list, 2)
	require.EqualValues(t, 3, list[0].Seq, "the first two of acme came before, and one of globex")
	require.EqualValues(t, 2, list[1].Seq)
	status, body = post(events[0])
	require.Equal(t, http.StatusOK, status, body)
	require.NoError(t, json.Unmarshal([]byte(body), &list))
	require.Equal(t, p.receipts[0].Leaf, list[0].Leaf, "what comes again is there already")
	status, body = post(events[1] + `{"tenant":"acme"}`)
	require.Equal(t, http.StatusBadRequest, status)
	require.Contains(t, body, `"receipts":[]`, "all or none")
	for _, header := range [][]string{{"Host", "evil.example"}, {"Origin", "https://evil.example"}, {"Sec-Fetch-Site", "cross-site"}} {
		status, _ = post(events[1], header...)
		require.Equal(t, http.StatusForbidden, status, header)
	}
	p.run(2, "", "query") // one at a time

	require.Zero(t, p.verify(0, "-url", url).Log.Count, "of a log that grows")
	require.Zero(t, p.verify(0, "-dir", "auditlog", "-live").Log.Count)
	posted, rest := io.Pipe() // what is being posted at the interrupt is recorded still
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/events", posted)
	require.NoError(t, err)
	req.Header.Set("Expect", "100-continue") // so that the body begins when the server reads it
	client := &http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Minute}}
	answered := make(chan int, 1)
	go func() {
		resp, err := client.Do(req)
		if err != nil {
			answered <- 0
			return
		}
		resp.Body.Close()
		answered <- resp.StatusCode
	}()
	io.WriteString(rest, events[2][:20])
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err == nil {
			conn.Close()
		}
		return err != nil
	}, 30*time.Second, 5*time.Millisecond, "nobody new is let in")
	io.WriteString(rest, events[2][20:])
	rest.Close()
	require.Equal(t, http.StatusOK, <-answered)
	require.NoError(t, cmd.Wait())
	require.Len(t, p.query("-action", "volume.delete"), 5)
	p.verify(0, "-dir", "auditlog")
	p.run(2, "", "verify", "-trust", "auditlog.keys/trust", "-url", url)
}

func TestDamageIsFoundOverHTTP(t *testing.T) {
	p := newPlace(t)
	server := httptest.NewServer(http.FileServer(http.Dir(p.path("auditlog"))))
	defer server.Close()
	p.verify(0, "-url", server.URL)
	for _, name := range p.files("auditlog/tile/entries") {
		b := []byte(p.read(name))
		b[100] ^= 1
		p.write(name, string(b))
	}
	a := p.verify(1, "-url", server.URL)
	require.True(t, slices.ContainsFunc(a.Log.Findings, func(f finding) bool { return f.Part == "tiles" }), "%v", a.Log.Findings)
}

func TestTrustDecides(t *testing.T) {
	p := newPlace(t)
	p.run(0, "", "init", "-dir", "other/")
	for name, want := range map[string]string{"other.keys/trust": "signed", "auditlog.keys/trust": ""} {
		code := 1
		if want == "" {
			code = 0
		}
		stdout, _ := p.run(code, "", "verify", "-dir", "auditlog", "-trust", name)
		require.Contains(t, stdout, want)
	}
}

func TestWrongUse(t *testing.T) {
	p := newPlace(t)
	p.write("twice", events[0]+events[0])
	before := p.read("auditlog.keys/noted")
	for _, c := range []struct {
		stdin string
		args  []string
	}{
		{"", []string{}},
		{"", []string{"frobnicate"}},
		{"", []string{"query", "-no-such-flag"}},
		{"", []string{"query", "stray"}},
		{"", []string{"query", "-profile", "root"}},
		{"", []string{"query", "-outcome", "maybe"}},
		{"", []string{"query", "-from", "yesterday"}},
		{"", []string{"query", "-keys", "absent"}},
		{"", []string{"init"}},
		{"", []string{"init", "-dir", "new", "-keys", "auditlog.keys"}},
		{"", []string{"init", "-dir", "new", "-keys", "new.keys", "-origin", "two words"}},
		{"", []string{"append"}},
		{"not JSON", []string{"append"}},
		{events[1] + `{"tenant":"acme","action":"volume.delete","outcome":"denied","colour":"red"}`, []string{"append"}},
		{events[1] + `{"action":"volume.delete","outcome":"denied"}`, []string{"append"}},
		{"", []string{"append", "-event", "absent"}},
		{"", []string{"erase", "-tenant", "acme"}},
		{"", []string{"erase", "-account", "eve"}},
		{"", []string{"serve", "-addr", "0.0.0.0:0"}},
		{"", []string{"serve", "-addr", "nonsense"}},
		{"", []string{"verify", "-dir", "auditlog"}},
		{"", []string{"verify", "-trust", "first", "-dir", "auditlog"}},
		{"", []string{"verify", "-trust", "auditlog.keys/trust"}},
		{"", []string{"verify", "-trust", "auditlog.keys/trust", "-dir", "auditlog", "-proof", "first"}},
		{"", []string{"verify", "-trust", "auditlog.keys/trust", "-dir", "absent"}},
		{"", []string{"verify", "-trust", "auditlog.keys/trust", "-url", "ftp://x"}},
		{"", []string{"verify", "-trust", "auditlog.keys/trust", "-export", "absent"}},
		{"", []string{"verify", "-trust", "auditlog.keys/trust", "-proof", "absent"}},
		{"", []string{"verify", "-trust", "auditlog.keys/trust", "-proof", "first", "-leaf", "abc"}},
		{"", []string{"verify", "-trust", "auditlog.keys/trust", "-dir", "auditlog", "-noted", "absent"}},
	} {
		stdout, _ := p.run(2, c.stdin, c.args...)
		require.Empty(t, stdout, c.args)
	}
	require.NoDirExists(t, p.path("new"))
	require.NoDirExists(t, p.path("new.keys"))
	require.Equal(t, before, p.read("auditlog.keys/noted"), "nothing was written")
	p.run(2, "", "prove", "-index", "99")
	p.run(2, "", "export")
	for _, verb := range []string{"init", "serve", "append", "erase", "query", "prove", "export", "verify"} {
		p.run(0, "", verb, "-h")
	}
	var list []translog.Receipt
	p.json(0, "", &list, "append", "-event", "twice")
	require.Equal(t, []uint64{0, 0}, []uint64{list[0].Index, list[1].Index}, "an id is written once")
}

func TestFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("no /dev/full here")
	}
	defer full.Close()
	p := newPlace(t)
	for _, args := range [][]string{{"query"}, {"query", "-json"}, {"verify", "-dir", "auditlog", "-trust", "auditlog.keys/trust"}} {
		cmd := command(t.Context(), t, args...)
		var problems bytes.Buffer
		cmd.Dir, cmd.Stdout, cmd.Stderr = p.dir, full, &problems
		require.Error(t, cmd.Run())
		require.Equal(t, 2, cmd.ProcessState.ExitCode(), "%q: what was not written was not reported", args)
	}
}
