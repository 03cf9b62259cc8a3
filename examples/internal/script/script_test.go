package script_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/examples/internal/script"
)

// As another program, the test shows what Exit, Print and Progress do with the process.
func TestMain(m *testing.M) {
	switch os.Getenv("SCRIPT_TEST") {
	case "":
		os.Exit(m.Run())
	case "ok":
		script.Exit(nil)
	case "help":
		script.Exit(fmt.Errorf("wrapped: %w", flag.ErrHelp))
	case "findings":
		script.Exit(errors.Join(errors.New("also"), script.ErrFindings))
	case "error":
		script.Exit(errors.New("the reason"))
	case "text clean":
		script.Exit(script.Print(words{"a": "<b>"}, false, true))
	case "json":
		script.Exit(script.Print(words{"a": "<b>"}, true, false))
	case "progress":
		show, clear := script.Progress()
		show("half done")
		clear()
		script.Exit(nil)
	}
	os.Exit(99)
}

// words is a report.
type words map[string]string

func (w words) WriteText(out io.Writer) error {
	_, err := fmt.Fprintln(out, "the text", w["a"])
	return err
}

func as(t *testing.T, what string, stdout *os.File) (code int, out, problems string) {
	t.Helper()
	name, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), name)
	cmd.Env = append(os.Environ(), "SCRIPT_TEST="+what, "GORACE=atexit_sleep_ms=0")
	var o, p strings.Builder
	if cmd.Stdout, cmd.Stderr = &o, &p; stdout != nil {
		cmd.Stdout = stdout
	}
	if err := cmd.Run(); err != nil {
		require.IsType(t, new(exec.ExitError), err)
	}
	return cmd.ProcessState.ExitCode(), o.String(), p.String()
}

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		what        string
		code        int
		out, reason string
	}{
		{"ok", 0, "", ""},
		{"help", 0, "", ""},
		{"findings", 1, "", ""},
		{"error", 2, "", "the reason\n"},
		{"text clean", 0, "the text <b>\n", ""},
		{"json", 1, "{\n  \"a\": \"<b>\"\n}\n", ""},
		{"progress", 0, "", ""}, // standard error is no terminal
	} {
		t.Run(c.what, func(t *testing.T) {
			code, out, problems := as(t, c.what, nil)
			require.Equal(t, c.code, code)
			require.Equal(t, c.out, out)
			require.Equal(t, c.reason, problems)
		})
	}
}

func TestReportThatCannotBeWrittenIsAnError(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("no /dev/full here")
	}
	defer full.Close()
	for _, what := range []string{"text clean", "json"} {
		code, _, problems := as(t, what, full)
		require.Equal(t, 2, code, what)
		require.NotEmpty(t, problems, what)
	}
}

func TestCommand(t *testing.T) {
	var ran []string
	verb := func(_ context.Context, flags *flag.FlagSet, parse func() error) error {
		flags.SetOutput(io.Discard)
		list := script.Strings(flags, "x", "words")
		if err := parse(); err != nil {
			return err
		}
		ran = append(*list, "ran")
		return nil
	}
	for _, c := range []struct {
		args string
		want []string // what the verb has seen, or
		err  string
	}{
		{args: "prog b", want: []string{"ran"}},
		{args: "prog b -x 1 -x=2", want: []string{"1", "2", "ran"}},
		{args: "prog", err: "usage: prog a|b [flags]; -h after a command lists its flags"},
		{args: "prog c", err: "usage"},
		{args: "prog -x", err: "usage"},
		{args: "prog b -y", err: "-y"},
		{args: "prog b -x", err: "-x"},
		{args: "prog b stray", err: `"stray"`},
		{args: "prog b -x 1 stray", err: `"stray"`},
		{args: "prog b -h", err: flag.ErrHelp.Error()},
	} {
		ran = nil
		err := script.Command(t.Context(), strings.Fields(c.args), map[string]script.Verb{"b": verb, "a": nil})
		if c.err == "" {
			require.NoError(t, err, c.args)
		} else {
			require.ErrorContains(t, err, c.err, c.args)
		}
		require.Equal(t, c.want, ran, c.args)
	}
}

func TestWhatAVerbReturnsIsReturned(t *testing.T) {
	broken := errors.New("broken")
	verb := func(context.Context, *flag.FlagSet, func() error) error { return broken }
	require.ErrorIs(t, script.Command(t.Context(), []string{"prog", "a"}, map[string]script.Verb{"a": verb}), broken)
}

func TestOneOf(t *testing.T) {
	parse := func(args ...string) (string, error) {
		flags := flag.NewFlagSet("prog", flag.ContinueOnError)
		flags.SetOutput(io.Discard)
		chosen := script.OneOf(flags, "x", "what", "a", "b")
		err := flags.Parse(args)
		return *chosen, err
	}
	for want, args := range map[string][]string{"a": nil, "b": {"-x", "b"}} {
		got, err := parse(args...)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, bad := range []string{"c", ""} {
		_, err := parse("-x", bad)
		require.ErrorContains(t, err, "want a or b")
	}
}

func parse(r io.Reader) (v *words, err error) {
	v = new(words)
	return v, json.NewDecoder(r).Decode(v)
}

func TestLeaveAndResume(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "left")
	v, err := script.Resume(name, parse)
	require.NoError(t, err, "there is nothing to resume at first")
	require.Nil(t, v)

	require.NoError(t, script.Leave(name, words{"a": "1"}, false))
	require.NoError(t, script.Leave(name, words{"a": "2"}, false))
	v, err = script.Resume(name, parse)
	require.NoError(t, err)
	require.Equal(t, &words{"a": "2"}, v)

	require.NoError(t, script.Leave(name, words{"a": "3"}, true))
	require.NoFileExists(t, name)
	require.NoError(t, script.Leave(name, words{"a": "3"}, true), "done without ever having stopped")
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)

	require.NoError(t, os.WriteFile(name, []byte("{"), 0o600))
	_, err = script.Resume(name, parse)
	require.Error(t, err, "what was left is damaged")
	require.Error(t, script.Leave(name, make(chan int), false))
	got, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, "{", string(got), "after an error the old file is untouched")
	require.Error(t, script.Leave(filepath.Join(dir, "absent", "left"), words{}, false))
}

func TestWithoutANameNothingIsLeft(t *testing.T) {
	t.Chdir(t.TempDir())
	v, err := script.Resume("", parse)
	require.NoError(t, err)
	require.Nil(t, v)
	require.NoError(t, script.Leave("", words{"a": "1"}, false))
	require.NoError(t, script.Leave("", words{"a": "1"}, true))
	left, err := os.ReadDir(".")
	require.NoError(t, err)
	require.Empty(t, left)
}
