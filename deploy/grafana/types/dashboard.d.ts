import type { Dashboard } from "@grafana/schema";

/** As it is in a file: values of enumerations are their texts there. */
type InJson<T> = T extends string
  ? string extends T ? string : `${T}`
  : T extends (infer Item)[]
    ? InJson<Item>[]
    : T extends object
      ? { [Key in keyof T]: InJson<T[Key]> }
      : T;

export type DashboardFile = InJson<Dashboard>;
