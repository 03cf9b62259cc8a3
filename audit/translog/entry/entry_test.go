package entry_test

import "context"

var ctx = context.Background()
