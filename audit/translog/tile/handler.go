package tile

import (
	"io/fs"
	"net/http"
)

// HandlerOptions is the policy of a [Handler]. The zero value refuses all entry bundles.
type HandlerOptions struct {
	Entries         func(*http.Request) error // decides who may read entry bundles; nil: nobody
	InsecureEntries bool                      // everybody may read entry bundles; Entries must be nil
}

// Handler serves a log.
func Handler(fsys fs.FS, o HandlerOptions) (http.Handler, error) { return nil, nil }
