package lockout_test

import (
	"context"
)

var bg = context.Background()
