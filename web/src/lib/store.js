// A value that several components look at.
import { useEffect, useState } from './html.js';

export function store(value) {
  const followers = new Set();
  return {
    get: () => value,
    set(next) {
      value = typeof next === 'function' ? next(value) : next;
      for (const follower of [...followers]) follower(value);
    },
    follow(follower) {
      followers.add(follower);
      return () => followers.delete(follower);
    },
  };
}

export function useStore(source) {
  const [value, set] = useState(source.get());
  useEffect(() => {
    set(source.get());
    return source.follow(set);
  }, [source]);
  return value;
}
