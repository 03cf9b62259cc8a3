package tile

import (
	"context"
	"io/fs"
	"net/http"
)

// Remote reads a log over HTTP.
func Remote(ctx context.Context, client *http.Client, base string) (fs.FS, error) { return nil, nil }
