package checkpoint

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec"
)

const (
	maxAnswer      = 64 << 10 // bytes that a witness may answer
	requestTimeout = 10 * time.Second
)

// ErrInconsistent says that a witness refuses the checkpoint because it does not continue the tree that the witness has
// seen: the log has been forked, or put back and grown anew.
var ErrInconsistent = errors.New("checkpoint: does not continue what the witness has seen")

// AheadError says that a witness has last cosigned another size than it was asked to go on from (409, C2SP
// tlog-witness). When it is more than the log holds, the log has been put back; or the witness lies, for this is not
// signed.
type AheadError struct{ Size uint64 }

// Error names the size.
func (e *AheadError) Error() string {
	return fmt.Sprintf("checkpoint: the witness has last cosigned size %d", e.Size)
}

// RefusedError says that a witness answered with another status than 200 and 409.
type RefusedError struct {
	Status int    // of HTTP
	Reason string // what it wrote, at most 200 bytes of it; quote it before showing it
}

// Error names the status.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("checkpoint: the witness answers %d: %q", e.Status, e.Reason)
}

// Unwrap returns [ErrInconsistent] for 422, [opsec.ErrNotFound] for 404 (it does not know the log), [opsec.ErrDenied] for
// 403 (it does not know the key), [opsec.ErrInvalid] for 400.
func (e *RefusedError) Unwrap() error {
	switch e.Status {
	case http.StatusUnprocessableEntity:
		return ErrInconsistent
	case http.StatusNotFound:
		return opsec.ErrNotFound
	case http.StatusForbidden:
		return opsec.ErrDenied
	case http.StatusBadRequest:
		return opsec.ErrInvalid
	}
	return nil
}

// Cosign asks the witness for its cosignature of a signed checkpoint that continues the tree of size old, the last that
// it has seen, by the consistency proof (RFC 6962, section 2.1.2; none when old is 0 or the same size). It returns the
// signature line, verified, to be put at the end of the checkpoint.
//
// client may be nil. Redirects are not followed; an answer of more than 64 KiB is an error; a client without a Timeout
// gets one of 10 s. Errors: [*AheadError], [ErrInconsistent], [*RefusedError], [*SignatureError], one that wraps [ErrUntrusted] when the
// answer holds no cosignature of this witness, those of HTTP, or one that wraps [opsec.ErrInvalid] when the request makes
// no sense and nothing was sent.
func (w Witness) Cosign(ctx context.Context, client *http.Client, old uint64, proof []tlog.Hash, signed []byte) ([]byte, error) {
	l, err := w.cosign(ctx, client, old, proof, signed)
	if err != nil {
		return nil, err
	}
	return []byte(l.text), nil
}

func (w Witness) cosign(ctx context.Context, client *http.Client, old uint64, proof []tlog.Hash, signed []byte) (line, error) {
	k, err := parseKey(w.Key, kindCosignature)
	if err != nil {
		return line{}, err
	}
	n, err := split(signed)
	if err != nil {
		return line{}, err
	}
	c, err := Parse(n.text)
	if err != nil {
		return line{}, err
	}
	if old > c.Size || len(proof) > maxHashes || len(proof) > 0 && (old == 0 || old == c.Size) {
		return line{}, invalid("witness: old size %d and %d hashes for a checkpoint of size %d", old, len(proof), c.Size)
	}
	body := fmt.Appendf(nil, "old %d\n", old)
	for _, h := range proof {
		body = append(body, h.String()+"\n"...)
	}
	answer, err := w.post(ctx, client, append(append(body, '\n'), signed...))
	if ahead, ok := errors.AsType[*AheadError](err); ok && ahead.Size == old && old == c.Size {
		return line{}, fmt.Errorf("%w: it has another tree of size %d", ErrInconsistent, old) // 409 says that too
	}
	if err != nil {
		return line{}, err
	}
	lines, err := parseLines(string(answer))
	if err != nil {
		return line{}, fmt.Errorf("checkpoint: answer of the witness: %w", err)
	}
	for _, l := range lines {
		if l.id != k.id {
			continue
		}
		if !k.Verify([]byte(n.text), l.sig) {
			return line{}, &SignatureError{l.name, l.hash}
		}
		return l, nil
	}
	return line{}, fmt.Errorf("checkpoint: the answer has no cosignature of %q: %w", k.name, ErrUntrusted)
}

// endpoint returns where checkpoints are sent.
func (w Witness) endpoint() (string, error) {
	u, err := url.Parse(w.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return "", invalid("URL of witness %q: want http or https, a host, no query", w.Name)
	}
	return strings.TrimSuffix(w.URL, "/") + "/add-checkpoint", nil
}

// post sends a request and returns the body of a 200.
func (w Witness) post(ctx context.Context, client *http.Client, body []byte) ([]byte, error) {
	endpoint, err := w.endpoint()
	if err != nil {
		return nil, err
	}
	var c http.Client
	if client != nil {
		c = *client
	}
	if c.Timeout == 0 {
		c.Timeout = requestTimeout
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("checkpoint: witness: %w", err)
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	resp, err := c.Do(req)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: witness: %w", err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("checkpoint: witness: %w", err)
	}
	switch {
	case len(answer) > maxAnswer:
		return nil, fmt.Errorf("checkpoint: the witness answers %d with more than %d bytes", resp.StatusCode, maxAnswer)
	case resp.StatusCode == http.StatusOK:
		return answer, nil
	case resp.StatusCode == http.StatusConflict:
		if size, ok := parseSize(answer); ok {
			return nil, &AheadError{size}
		}
	}
	return nil, &RefusedError{resp.StatusCode, strings.ToValidUTF8(string(answer[:min(200, len(answer))]), "?")}
}

// parseSize reads the body of a 409: a number and a newline.
func parseSize(answer []byte) (uint64, bool) {
	s, ok := strings.CutSuffix(string(answer), "\n")
	size, err := strconv.ParseUint(s, 10, 64)
	return size, ok && err == nil && strconv.FormatUint(size, 10) == s
}
