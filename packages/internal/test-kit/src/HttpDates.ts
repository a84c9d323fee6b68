// HTTP dates in each of their forms.
const days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/** The three forms of RFC 9110, 5.6.7, of a moment in whole seconds. */
export const httpDateForms = (ms: number): Record<"imf-fixdate" | "rfc850" | "asctime", string> => {
  const date = new Date(ms);
  const utc = date.toUTCString();
  const [, day = "", month = "", year = "", time = ""] = utc.split(/[ ,]+/);
  return {
    "imf-fixdate": utc,
    rfc850: `${days[date.getUTCDay()]}, ${day}-${month}-${year.slice(2)} ${time} GMT`,
    asctime: `${utc.slice(0, 3)} ${month} ${String(date.getUTCDate()).padStart(2)} ${time} ${year}`,
  };
};
