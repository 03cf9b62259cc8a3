// Package retention decides which restore points are kept, and says why.
package retention
