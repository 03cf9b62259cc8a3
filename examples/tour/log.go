package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog"
	"github.com/cloudopsec/opsec/audit/translog/checkpoint"
	"github.com/cloudopsec/opsec/audit/translog/subject"
)

// openLog starts a log with keys for this visit, and says whom to trust about it. A provider's signing key is in an HSM,
// its witnesses are others, and the keys of its subjects are in a file, wrapped by a KMS.
func openLog(ctx context.Context, dir string) (log *translog.Log, trust checkpoint.Policy, stop func() error) {
	private, public, err := checkpoint.GenerateKey("tour.example/log")
	check(err)
	signer, err := checkpoint.ParseSigner(private)
	check(err)
	trust, err = checkpoint.Unwitnessed(public)
	check(err)
	log, err = translog.Open(dir, translog.Policy{
		Trust: trust, CheckpointEvery: 50 * time.Millisecond, SegmentBytes: 1 << 20, ReserveBytes: 1 << 20,
	}, translog.Options{Signer: signer, Keys: subject.Memory(), Authorizer: opsec.CallerAuthorized{}})
	check(err)
	done := make(chan error, 1)
	go func() { done <- log.Run(ctx) }()
	return log, trust, func() error { return errors.Join(log.Close(ctx), <-done) }
}

// flipBitOf flips a bit among the first entries of a journal.
func flipBitOf(segment string) {
	b, err := os.ReadFile(segment)
	check(err)
	b[100+rand.IntN(1000)] ^= 1 << rand.IntN(8)
	check(os.WriteFile(segment, b, 0o600))
}
