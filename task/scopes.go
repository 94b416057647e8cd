package task

import (
	"context"
	"errors"
	"slices"

	"conclave/internal/keeper"
)

func scopes(ctx context.Context, k *keeper.Keeper) (names []string, err error) {
	s, err := k.Session(ctx)
	if err != nil {
		return nil, err
	}
	children, _, err := s.Children(ctx, k.Paths().Tasks(), nil)
	if errors.Is(err, keeper.ErrNoNode) {
		return nil, nil
	}
	for _, child := range children {
		if name, ok := keeper.Unescape(child); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, err
}
