package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog"
	"github.com/cloudopsec/opsec/audit/translog/checkpoint"
	"github.com/cloudopsec/opsec/audit/translog/subject"
	"github.com/cloudopsec/opsec/examples/internal/script"
	"github.com/cloudopsec/opsec/internal/wholefile"
)

// home is where a log is: the directory that it is, which may be copied anywhere, and that of its keys, which is kept
// apart from it and from its backups.
type home struct {
	log, keys string
	json      bool
}

func homeOf(flags *flag.FlagSet) *home {
	h := new(home)
	flags.StringVar(&h.log, "dir", "auditlog", "`directory` of the log")
	flags.StringVar(&h.keys, "keys", "", "`directory` of its keys (default that of the log and .keys)")
	flags.BoolVar(&h.json, "json", false, "print the result as JSON")
	return h
}

func (h *home) key(name string) string {
	return filepath.Join(cmp.Or(h.keys, filepath.Clean(h.log)+".keys"), name)
}

// create makes the keys, and nothing where there are some.
func (h *home) create(origin string) error {
	if _, err := os.Lstat(h.log); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(fmt.Errorf("%s: there is something already", h.log), err)
	}
	signing, verifying, err := checkpoint.GenerateKey(origin)
	if err != nil {
		return err
	}
	trust, err := checkpoint.Unwitnessed(verifying) // a real log has witnesses
	if err != nil {
		return err
	}
	if err := os.Mkdir(h.key(""), 0o700); err != nil {
		return err
	}
	secret := make([]byte, 64)
	rand.Read(secret)
	return errors.Join(
		write(h.key("trust"), []byte(trust.String())), write(h.key("signing"), []byte(signing)),
		write(h.key("master"), secret[:32]), write(h.key("lookup"), secret[32:]))
}

func write(name string, data []byte) error {
	return wholefile.Write(name, 0o600, func(w io.Writer) error { _, err := w.Write(data); return err })
}

// open opens the log and the keys of its subjects. It must go on from the checkpoint noted last: a directory that was
// taken away, or put back as it once was, is refused.
func (h *home) open() (*translog.Log, *subject.File, error) {
	file := map[string][]byte{}
	for _, name := range []string{"trust", "signing", "master", "lookup"} {
		var err error
		if file[name], err = os.ReadFile(h.key(name)); err != nil {
			return nil, nil, fmt.Errorf("%w; init makes the keys", err)
		}
	}
	trust, trustErr := checkpoint.ParsePolicy(string(file["trust"]))
	signer, signerErr := checkpoint.ParseSigner(string(file["signing"]))
	master, masterErr := subject.NewSealer(file["master"]) // in earnest an AEAD of a KMS, or of Tink
	noted, notedErr := script.Resume(h.key("noted"), io.ReadAll)
	if err := errors.Join(trustErr, signerErr, masterErr, notedErr); err != nil {
		return nil, nil, err
	}
	keys, err := subject.OpenFile(h.key("subjects"), master, file["lookup"], nil)
	if err != nil {
		return nil, nil, err
	}
	policy := translog.Policy{Trust: trust, SegmentBytes: 4 << 20, ReserveBytes: 1 << 20} // small, for a small log
	opts := translog.Options{
		Signer: signer, Keys: keys, Logger: slog.Default(),
		Authorizer: opsec.CallerAuthorized{}, // whoever can read the keys has been let in by the file system
	}
	if noted != nil {
		opts.Noted = [][]byte{noted}
	}
	log, err := translog.Open(h.log, policy, opts)
	if err != nil {
		return nil, nil, errors.Join(err, keys.Close())
	}
	return log, keys, nil
}

// use runs the log while work lasts, and notes its last checkpoint. An interrupt ends the work, and that the log.
func (h *home) use(ctx context.Context, work func(context.Context, *translog.Log) error) error {
	log, keys, err := h.open()
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- log.Run(running) }()
	err = work(ctx, log)
	stop()
	err = errors.Join(err, <-ended, keys.Close())
	if signed := log.Checkpoint(); signed != nil {
		err = errors.Join(err, write(h.key("noted"), signed))
	}
	return err
}

// print prints a result, as text or as the one JSON document on standard output.
func (h *home) print(v any, text string, args ...any) (err error) {
	if h.json {
		return script.JSON(os.Stdout, v)
	}
	_, err = fmt.Printf(text+"\n", args...)
	return err
}

// operator is who stands on record for what is read and erased here.
func operator() opsec.Actor {
	a := opsec.Actor{Tenant: opsec.Provider, Account: "unknown", Kind: opsec.Human}
	if u, err := user.Current(); err == nil {
		a.Account = u.Username
	}
	return a
}
