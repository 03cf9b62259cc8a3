package etcd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/cloudopsec/opsec/store"
)

// ErrNoSpace says that the database has reached its quota. etcd refuses all that writes values until somebody has
// compacted, defragmented and disarmed the alarm; reads, checks and deletes go on.
var ErrNoSpace = errors.New("etcd: the database has reached its quota")

// codeOf returns the code of what the client returned; OK for nil, Unknown for what has none.
func codeOf(err error) codes.Code {
	if e, ok := errors.AsType[rpctypes.EtcdError](err); ok {
		return e.Code()
	}
	return status.Code(err)
}

// failed says what a read has failed of.
func (d *Driver) failed(ctx context.Context, err error) error {
	if d.open.Err() != nil {
		return store.ErrClosed
	}
	return fmt.Errorf("etcd: %w", withEnd(ctx, err))
}

// withEnd adds that the context has ended. The server has a clock of its own, by which that may be a little earlier.
func withEnd(ctx context.Context, err error) error {
	ended := ctx.Err()
	if at, limited := ctx.Deadline(); ended == nil && limited && time.Until(at) < time.Second && codeOf(err) == codes.DeadlineExceeded {
		ended = context.DeadlineExceeded
	}
	if ended == nil || errors.Is(err, ended) {
		return err
	}
	return errors.Join(ended, err)
}

// refused returns the error of a commit of which the server, or the client before it sent anything, has said that it
// will not be done; nil for any other. ErrNoSpace is another: the commit that fills the database is done, and answered
// with it.
func refused(err error) error {
	switch {
	case errors.Is(err, rpctypes.ErrRequestTooLarge), errors.Is(err, rpctypes.ErrTooManyOps), isOversized(err):
		return fmt.Errorf("%w: more than the cluster or the client is configured for: %w", store.ErrTooLarge, err)
	case errors.Is(err, rpctypes.ErrNoLeader), errors.Is(err, rpctypes.ErrTooManyRequests): // before it is proposed
	case errors.Is(err, rpctypes.ErrCorrupt): // in place of being applied
	default:
		switch codeOf(err) {
		case codes.InvalidArgument, codes.PermissionDenied, codes.Unauthenticated, codes.FailedPrecondition, codes.Unimplemented:
		default:
			return nil
		}
	}
	return fmt.Errorf("etcd: %w", err)
}

// minReceive is what every server receives: etcd adds this much to its --max-request-bytes. No answer to a commit is as
// long, so a longer message that was too large was the request.
const minReceive = 512 << 10

// isOversized reports whether gRPC has found the request too large, on either side.
func isOversized(err error) bool {
	var got, most int
	s := status.Convert(err)
	if s.Code() != codes.ResourceExhausted {
		return false
	}
	if n, _ := fmt.Sscanf(s.Message(), "trying to send message larger than max (%d vs. %d)", &got, &most); n == 2 {
		return true
	}
	n, _ := fmt.Sscanf(s.Message(), "grpc: received message larger than max (%d vs. %d)", &got, &most)
	return n == 2 && got > minReceive
}
