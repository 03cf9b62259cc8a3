// Package script holds what the examples share: exit codes, JSON output and progress on a terminal.
package script

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cloudopsec/opsec/internal/wholefile"
)

// ErrFindings makes a script exit with 1: it ran well and found something that needs attention.
var ErrFindings = errors.New("findings")

// Exit ends the program: 0 for nil and for a request for help, 1 for [ErrFindings], 2 for anything else, which it
// prints.
func Exit(err error) {
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		os.Exit(0)
	case errors.Is(err, ErrFindings):
		os.Exit(1)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(2)
}

// Interruptible returns a context that ends at an interrupt; a second one then kills the program as usual.
func Interruptible() context.Context {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop)
	return ctx
}

// Verb is one command of a script: it defines its flags, calls parse, and does its work.
type Verb func(ctx context.Context, flags *flag.FlagSet, parse func() error) error

// Command runs the verb that the first argument names.
func Command(ctx context.Context, args []string, verbs map[string]Verb) error {
	names := strings.Join(slices.Sorted(maps.Keys(verbs)), "|")
	usage := fmt.Errorf("usage: %s %s [flags]; -h after a command lists its flags", filepath.Base(args[0]), names)
	if len(args) < 2 {
		return usage
	}
	if args[1] == "-h" || args[1] == "--help" || args[1] == "help" {
		fmt.Println(usage)
		return nil
	}
	verb, ok := verbs[args[1]]
	if !ok {
		return usage
	}
	flags := flag.NewFlagSet(args[1], flag.ContinueOnError)
	return verb(ctx, flags, func() error {
		if err := flags.Parse(args[2:]); err != nil {
			return err
		}
		if flags.NArg() > 0 {
			return fmt.Errorf("%s: what is %q? Everything is a flag; -h lists them", flags.Name(), flags.Arg(0))
		}
		return nil
	})
}

// Strings defines a flag that may be repeated.
func Strings(flags *flag.FlagSet, name, usage string) *[]string {
	list := new([]string)
	flags.Func(name, usage, func(s string) error { *list = append(*list, s); return nil })
	return list
}

// Resume parses the file that an earlier run has left, if there is one.
func Resume[T any](name string, parse func(io.Reader) (T, error)) (v T, err error) {
	f, err := os.Open(name)
	if name == "" || errors.Is(err, os.ErrNotExist) {
		return v, nil
	}
	if err != nil {
		return v, err
	}
	defer f.Close()
	return parse(f)
}

// Leave writes v as JSON to the file called name, if there is a name, for the next run to resume; once all is done it
// removes the file.
func Leave(name string, v any, done bool) error {
	switch {
	case name == "":
		return nil
	case !done:
		return wholefile.Write(name, 0o600, func(w io.Writer) error { return json.NewEncoder(w).Encode(v) })
	}
	if err := os.Remove(name); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// OneOf defines a flag with a few values, the first of which is the default.
func OneOf(flags *flag.FlagSet, name, usage string, values ...string) *string {
	chosen := values[0]
	flags.Func(name, usage+": "+strings.Join(values, " or ")+" (default "+chosen+")", func(s string) error {
		if !slices.Contains(values, s) {
			return fmt.Errorf("want %s", strings.Join(values, " or "))
		}
		chosen = s
		return nil
	})
	return &chosen
}

// Print prints a report on standard output, as text or as the one JSON document there. One that is not clean makes
// [ErrFindings].
func Print(report interface{ WriteText(io.Writer) error }, asJSON, clean bool) error {
	write := report.WriteText
	if asJSON {
		write = func(w io.Writer) error { return JSON(w, report) }
	}
	if err := write(os.Stdout); err != nil {
		return err
	}
	if !clean {
		return ErrFindings
	}
	return nil
}

// JSON writes v indented.
func JSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// Progress returns a function that shows a line of progress, ten times a second at most, and one that removes it. Where
// standard error is no terminal, both do nothing.
func Progress() (show func(line string), clear func()) {
	info, err := os.Stderr.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return func(string) {}, func() {}
	}
	var last time.Time
	show = func(line string) {
		if time.Since(last) > 100*time.Millisecond {
			last = time.Now()
			fmt.Fprintf(os.Stderr, "\r\x1b[K%.100s", line)
		}
	}
	return show, func() { io.WriteString(os.Stderr, "\r\x1b[K") }
}

// Rows returns a list as rooms read sequences that can fail.
func Rows[T any](list []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range list {
			if !yield(v, nil) {
				return
			}
		}
	}
}
