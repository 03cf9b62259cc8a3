package recovery

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
)

// ActionTest is the action of the events that [Run] records: an intent, and its end.
const ActionTest = "backup.recovery_test"

// Test is how a point is tested.
type Test struct {
	Target  Target   // where
	Keys    Keys     // nil where nothing is encrypted
	Restore Restorer // how
	Checks  []Check  // at least one
	Most    Limits
}

// Limits bound what a restore may write. Zero fields are the defaults.
type Limits struct {
	Bytes int64         // default 1 TiB
	Files int64         // files, folders and links; default 10 million
	Time  time.Duration // for all but cleaning; default 24 h. What does not heed its context is waited for
}

// Target is a place for one restore.
type Target interface {
	// Prepare makes the place, and returns its path with what shows that it is empty and apart, in words.
	Prepare(ctx context.Context) (path, proof string, err error)
	// Clean removes it, and returns nil only when nothing is left. It is called once after each Prepare that returned a path, also when that
	// failed or the test panicked, with a context that the end of the test does not end. After a Prepare without a path there is nothing to remove.
	Clean(ctx context.Context) error
}

// Keys fetches the key of a point.
type Keys interface {
	Key(ctx context.Context, p Point) (Decrypter, error)
}

// Restorer brings a point back into a place, and returns when it is durable there. What it cannot read it must not pass over. Key is nil for a
// point that is not encrypted.
type Restorer interface {
	Restore(ctx context.Context, p Point, key Decrypter, into *os.Root, m *Meter) error
}

// Check looks at what has been restored below a path. An error says that it is not what it should be, or that this could not be
// told; detail is kept as evidence either way.
type Check interface {
	Check(ctx context.Context, path string) (detail string, err error)
	About() (kind, name string)
}

// Options is the wiring of [Run].
type Options struct {
	Recorder opsec.Recorder // required
	Actor    opsec.Actor    // who tests
	Now      func() time.Time
}

const (
	maxDetail = 4 << 10
	cleanTime = 10 * time.Minute
)

// Run restores a point, checks it and cleans up. See the package's promises for what is an error and what is a result. An error of the recorder at
// the end comes with the result: the test has been made, and its end is not on record.
func Run(ctx context.Context, p Point, t Test, o *Options) (Result, error) {
	if err := t.validate(p, o); err != nil {
		return Result{}, err
	}
	now := o.Now
	if now == nil {
		now = time.Now
	}
	r := Result{Point: p, By: o.Actor, Began: now()}
	e := opsec.NewEvent(ActionTest, r.Began)
	e.Tenant, e.Class, e.Actor = p.Tenant, opsec.Critical, o.Actor
	e.Resource = opsec.Resource{Tenant: p.Tenant, Type: "backup", ID: p.ID}
	e.Attrs = []opsec.Attr{attr("source", p.Source)}
	op, err := opsec.Begin(ctx, o.Recorder, e)
	if err != nil {
		return Result{}, fmt.Errorf("recovery: the test is not on record, so it was not begun: %w", err)
	}
	r.ID = e.ID
	(&run{t, &r, now}).all(ctx)
	r.Ended = now()
	r.Passed = r.Failure == ""
	outcome := opsec.Success
	if !r.Passed {
		outcome = opsec.Failure
	}
	err = op.End(context.WithoutCancel(ctx), outcome, attr("failure", r.Failure), attr("took", time.Duration(r.Took).String()),
		attr("files", fmt.Sprint(r.Files)), attr("bytes", fmt.Sprint(r.Bytes)))
	return r, err
}

func (t *Test) validate(p Point, o *Options) error {
	switch {
	case o == nil || o.Recorder == nil:
		return invalid("options: recorder: nil")
	case t.Target == nil || t.Restore == nil:
		return invalid("test: target or restore: nil")
	case len(t.Checks) == 0:
		return invalid("test: checks: none, so that nothing would be shown")
	case p.Source == "" || p.ID == "" || p.Tenant == "":
		return invalid("point: tenant, source or id: empty")
	case t.Most.Bytes < 0 || t.Most.Files < 0 || t.Most.Time < 0:
		return invalid("most: negative")
	case p.Key != nil && (p.Key.Name == "" || p.Key.Version == 0):
		return invalid("point: key: no name or no version")
	}
	for i, c := range t.Checks {
		if c == nil {
			return invalid("checks[%d]: nil", i)
		}
	}
	return nil
}

// run is a test on its way.
type run struct {
	test Test
	*Result
	now func() time.Time
}

// phase does a part of the test unless an earlier one has failed, and takes its time.
func (r *run) phase(name PhaseName, do func() error) {
	if r.Failure != "" && name != Clean {
		return
	}
	start := r.now()
	err := do()
	p := Phase{Name: name, Took: Duration(max(r.now().Sub(start), 0))}
	if err != nil {
		p.Error = cut(err.Error())
		if r.Failure == "" {
			r.Failure = cut(fmt.Sprintf("%s: %v", name, err))
		}
	}
	if name != Clean {
		r.Took += p.Took
	}
	r.Phases = append(r.Phases, p)
}

func (r *run) all(ctx context.Context) {
	most := r.test.Most
	if most.Time == 0 {
		most.Time = 24 * time.Hour
	}
	limited, cancel := context.WithTimeoutCause(ctx, most.Time, fmt.Errorf("it took more than %s", most.Time))
	defer cancel()
	var path string
	defer func() { // also when something of the caller's panics
		if path == "" {
			return
		}
		r.phase(Clean, func() error {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTime)
			defer cancel()
			err := r.test.Target.Clean(ctx)
			r.Cleaned = err == nil
			return err
		})
	}()
	r.phase(Prepare, func() (err error) {
		path, r.Target, err = r.test.Target.Prepare(limited)
		return err
	})
	var key Decrypter
	if r.Point.Key != nil {
		r.phase(Unlock, func() (err error) {
			if r.test.Keys == nil {
				return errors.New("the point is encrypted, and there is nobody to ask for the key")
			}
			if key, err = r.test.Keys.Key(limited, r.Point); err == nil && key == nil {
				err = errors.New("no key")
			}
			return err
		})
	}
	r.phase(Restore, func() error {
		root, err := os.OpenRoot(path)
		if err != nil {
			return err
		}
		m := newMeter(limited, most)
		err = r.test.Restore.Restore(limited, r.Point, key, root, m)
		r.Files, r.Bytes = m.files, m.bytes
		if err == nil {
			err = m.err
		}
		return errors.Join(err, root.Close())
	})
	r.phase(Verify, func() (first error) {
		for _, c := range r.test.Checks {
			if err := r.check(limited, c, path); err != nil && first == nil {
				first = err
			}
		}
		return first
	})
}

func (r *run) check(ctx context.Context, c Check, path string) error {
	start := r.now()
	var done Checked
	done.Kind, done.Name = c.About()
	detail, err := c.Check(ctx, path)
	done.Took, done.Passed, done.Detail = Duration(max(r.now().Sub(start), 0)), err == nil, cut(detail)
	if detail != "" {
		sum := sha256.Sum256([]byte(detail))
		done.Digest = "sha256:" + hex.EncodeToString(sum[:])
	}
	if err != nil {
		err = fmt.Errorf("%s %q: %w", done.Kind, done.Name, err)
		done.Detail = cut(err.Error() + "\n" + detail)
	}
	r.Checks = append(r.Checks, done)
	return err
}

// cut returns the beginning of a text that may be of any length, and of any bytes.
func cut(s string) string {
	if s = strings.ToValidUTF8(s[:min(len(s), 2*maxDetail)], "\uFFFD"); len(s) > maxDetail {
		s = strings.ToValidUTF8(s[:maxDetail], "") + " …"
	}
	return s
}

func attr(key, value string) opsec.Attr {
	return opsec.Attr{Key: key, Value: value, Mark: opsec.Tenant}
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("recovery: %w: %s", opsec.ErrInvalid, fmt.Sprintf(format, args...))
}
