//go:build linux

package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/note"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog"
	"github.com/cloudopsec/opsec/audit/translog/checkpoint"
	"github.com/cloudopsec/opsec/audit/translog/subject"
	"github.com/cloudopsec/opsec/audit/translog/verify"
)

// ours is our log, with proofs and index: encoding, commitments, sealing and hashing are a part of every Add.
type ours struct {
	log   *translog.Log
	stop  context.CancelFunc
	ended chan error
}

// ourKeys stay from the opening to the reading of one log.
type ourKeys struct {
	keys   *subject.File
	trust  checkpoint.Policy
	signer note.Signer
}

var kept = map[string]ourKeys{}

func openOurs(dir string, omit bool) (durable, error) {
	skey, vkey, err := checkpoint.GenerateKey("bench.example/log")
	if err != nil {
		return nil, err
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		return nil, err
	}
	trust, err := checkpoint.ParsePolicy(fmt.Sprintf("log %s\nquorum none\n", vkey))
	if err != nil {
		return nil, err
	}
	keys := subject.Memory()
	kept[dir] = ourKeys{keys, trust, signer}
	l, err := translog.Open(filepath.Join(dir, "log"), translog.Policy{Trust: trust}, translog.Options{
		Signer: signer, Keys: keys, Authorizer: opsec.CallerAuthorized{}, OmitValues: omit,
	})
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	o := &ours{l, stop, make(chan error, 1)}
	go func() { o.ended <- l.Run(ctx) }()
	return o, nil
}

func openTranslog(dir string, _ int) (durable, error) { return openOurs(dir, false) }

func openTranslogOmitting(dir string, _ int) (durable, error) { return openOurs(dir, true) }

func (o *ours) Add(ctx context.Context, i int, _ []byte) error {
	_, err := o.log.Append(ctx, eventOf(i))
	return err
}

// Settle ends the log: all tiles, the index and the last checkpoint are written then.
func (o *ours) Settle() error {
	o.stop()
	return <-o.ended
}

func (o *ours) Close() error { return o.log.Close(context.Background()) }

// translogKept verifies the log as a whole, and returns its events.
func translogKept(dir string) (list [][]byte, err error) {
	k := kept[dir]
	ctx := context.Background()
	r, err := verify.Log(ctx, os.DirFS(filepath.Join(dir, "log")), k.trust, verify.Options{})
	if err != nil || !r.OK {
		return nil, errors.Join(err, fmt.Errorf("findings: %v", r.Findings))
	}
	l, err := translog.Open(filepath.Join(dir, "log"), translog.Policy{Trust: k.trust}, translog.Options{
		Signer: k.signer, Keys: k.keys, Authorizer: opsec.CallerAuthorized{},
	})
	if err != nil {
		return nil, err
	}
	run, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- l.Run(run) }()
	for e, queryErr := range l.View(opsec.Actor{}, translog.Profile{Name: "bench", AllTenants: true, Most: opsec.Digest}).Query(ctx, translog.Query{Actions: []string{"console.login"}}) {
		if queryErr != nil {
			err = queryErr
			break
		}
		text, _ := json.Marshal(e.Event)
		list = append(list, text)
	}
	stop()
	return list, errors.Join(err, <-ended)
}
