package tile

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec"
)

const (
	checkpointName = "checkpoint"
	maxCheckpoint  = 64 << 10    // bytes; a note of a hundred witnesses has some 15 KiB
	maxRequest     = time.Minute // for one file
)

// Remote makes the files of a log that is served at the URL base (http or https) readable, for [NewTree] and
// [Verifier]: "checkpoint", tiles and bundles, all other names do not exist. What comes is not authenticated.
//
// The server is not trusted: a file has a greatest length, also when it comes compressed, and a minute to come, or
// less where ctx or the client say so; redirections are not followed. A file that the server does not have (404, 410) is
// [fs.ErrNotExist], one that it does not show (401, 403) is [fs.ErrPermission].
//
// A nil client is [http.DefaultClient]. Ctx ends all requests.
func Remote(ctx context.Context, client *http.Client, base string) (fs.FS, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("tile: the base of a log is an http or https URL without query and fragment: %w", opsec.ErrInvalid)
	}
	if client == nil {
		client = http.DefaultClient
	}
	own := *client
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &remote{ctx, &own, u}, nil
}

type remote struct {
	ctx    context.Context
	client *http.Client
	base   *url.URL
}

// Open implements [fs.FS]. The file is read from the server before Open returns.
func (r *remote) Open(name string) (fs.File, error) {
	body, err := r.read(name)
	if err != nil {
		return nil, &fs.PathError{Op: "get", Path: name, Err: err}
	}
	return received{bytes.NewReader(body), name}, nil
}

func (r *remote) read(name string) ([]byte, error) {
	limit, err := limitOf(name)
	if err != nil {
		return nil, fs.ErrNotExist
	}
	ctx, cancel := context.WithTimeout(r.ctx, maxRequest)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.base.JoinPath(name).String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept-Encoding", "gzip, identity") // by hand: some servers send gzip to everybody
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound, http.StatusGone:
		return nil, fs.ErrNotExist
	case http.StatusUnauthorized, http.StatusForbidden:
		return nil, fs.ErrPermission
	default:
		return nil, fmt.Errorf("status %d", resp.StatusCode)
	}
	body := io.Reader(resp.Body)
	switch encoding := resp.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
	case "gzip":
		// What a decompressor is given is bounded as well: empty blocks would keep it busy without a byte coming out.
		if body, err = gzip.NewReader(io.LimitReader(body, limit+limit/1000+1024)); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("Content-Encoding %.20q was not asked for", encoding)
	}
	data, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("longer than %d bytes", limit)
	}
	return data, err
}

// limitOf is the greatest length of a file of a log.
func limitOf(name string) (int64, error) {
	if name == checkpointName {
		return maxCheckpoint, nil
	}
	level, _, width, err := ParsePath(name)
	switch {
	case err != nil:
		return 0, err
	case level == LevelEntries:
		return int64(width) * (2 + MaxEntry), nil
	}
	return int64(width) * tlog.HashSize, nil
}

// received is a file that has come, and what there is to say about it.
type received struct {
	*bytes.Reader
	name string
}

func (f received) Stat() (fs.FileInfo, error) { return f, nil }
func (f received) Close() error               { return nil }
func (f received) Name() string               { return path.Base(f.name) }
func (f received) Mode() fs.FileMode          { return 0o444 }
func (f received) ModTime() time.Time         { return time.Time{} }
func (f received) IsDir() bool                { return false }
func (f received) Sys() any                   { return nil }
