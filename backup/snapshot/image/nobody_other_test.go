//go:build unix && !linux

package image_test

import "errors"

func becomeNobody(int) error { return errors.ErrUnsupported }
