/** A figure at a time. */
export interface Sample {
  /** How far the work was, in bytes. */
  at: number;
  value: number;
}

/** Asks for a figure each 100 ms until it is stopped. A question that takes longer is not doubled. */
export class Sampler {
  readonly samples: Sample[] = [];
  private readonly timer: NodeJS.Timeout;
  private busy: Promise<void> | undefined;
  private failure: unknown;

  constructor(ask: () => Promise<Sample> | Sample) {
    this.timer = setInterval(() => {
      this.busy ??= (async () => this.samples.push(await ask()))()
        .catch((error: unknown) => {
          this.failure ??= error;
        })
        .then(() => {
          this.busy = undefined;
        });
    }, 100);
  }

  async stop(): Promise<Sample[]> {
    clearInterval(this.timer);
    await this.busy;
    if (this.failure) throw this.failure;
    return this.samples;
  }
}

export function peak(samples: readonly Sample[]): number {
  return samples.reduce((most, { value }) => Math.max(most, value), 0);
}

/**
 * By how much the figure has grown from `from` to `to`, by the straight line that fits best
 * (least squares), so that one high sample neither makes nor hides a slope.
 */
export function growth(samples: readonly Sample[], from: number, to: number): number {
  const within = samples.filter(({ at }) => at >= from && at <= to);
  if (within.length < 10) throw new Error(`only ${within.length} samples between ${from} and ${to}`);
  const meanAt = within.reduce((sum, { at }) => sum + at, 0) / within.length;
  const meanValue = within.reduce((sum, { value }) => sum + value, 0) / within.length;
  let covariance = 0;
  let variance = 0;
  for (const { at, value } of within) {
    covariance += (at - meanAt) * (value - meanValue);
    variance += (at - meanAt) ** 2;
  }
  return (covariance / variance) * (to - from);
}
