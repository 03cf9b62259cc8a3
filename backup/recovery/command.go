package recovery

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

// Command is a [Check] that runs a program on what has been restored: in its folder, without a shell, with no environment but what is named here,
// with its input closed, and without a network. It passes when the program ends with 0. When it ends, or time is up, what it has started
// is killed with it.
type Command struct {
	Name string
	Path string        // of the program, absolute
	Args []string      // a "{}" that stands alone is the path of the folder
	Env  []string      // "NAME=value"
	Time time.Duration // default 10 minutes
	// InsecureNetwork lets it reach the network, and so what is in production. Without it the program runs in a network of its own, where
	// there is nothing, as the first process (1) of those that it sees itself; where the system cannot do that, as on anything but Linux, the
	// check fails. The user and the files are the same in either case: what that user may read, write or reach by a socket in a folder, the
	// program may too, also through a link that was restored. With InsecureNetwork, what has left the program's process group lives on.
	InsecureNetwork bool
}

const maxOutput = 64 << 10

// About implements [Check].
func (c Command) About() (kind, name string) { return "command", c.Name }

// Check implements [Check]. The detail is the first 64 KiB of what the program says.
func (c Command) Check(ctx context.Context, path string) (detail string, err error) {
	limit := c.Time
	if limit <= 0 {
		limit = 10 * time.Minute
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it took more than %s", limit))
	defer cancel()
	args := make([]string, len(c.Args))
	for i, a := range c.Args {
		if args[i] = a; a == "{}" {
			args[i] = path
		}
	}
	if !filepath.IsAbs(c.Path) {
		return "", fmt.Errorf("path %q: want an absolute one", c.Path)
	}
	cmd := exec.CommandContext(ctx, c.Path, args...)
	var out output
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = path, append([]string{"LC_ALL=C.UTF-8"}, c.Env...), &out, &out
	cmd.WaitDelay = 5 * time.Second
	if err := confine(cmd, !c.InsecureNetwork); err != nil {
		return "", err
	}
	// The system kills the program when the thread that started it ends: that thread is kept.
	runtime.LockOSThread()
	err = cmd.Run()
	runtime.UnlockOSThread()
	sweep(cmd)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	detail = string(out.kept)
	if out.left > 0 {
		detail += fmt.Sprintf("\n(%d more bytes)", out.left)
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("it ended with %v", exit.ProcessState)
	}
	return detail, err
}

// output keeps the beginning of what is written to it.
type output struct {
	kept []byte
	left int64
}

func (o *output) Write(p []byte) (int, error) {
	n := min(len(p), maxOutput-len(o.kept))
	o.kept = append(o.kept, p[:n]...)
	o.left += int64(len(p) - n)
	return len(p), nil
}
