package image

import "context"

// ScanAfter is a scan that has listed so much already.
func ScanAfter(ctx context.Context, listed int64, paths ...string) (*Inventory, error) {
	s := &scan{files: map[string]*file{}}
	s.listed.Store(listed)
	return s.run(ctx, paths)
}
